"""Engine: bmodels on a device, with tensors by name."""

from __future__ import annotations

from typing import Dict, List, Sequence

from ..simulator.networks import Port
from .errors import SailEngineError
from .graphs import Graphs
from .handle import Handle
from .overloads import Overloaded
from .tensor import Tensor
from .types import Dtype, IOMode


class Engine:
    """``Engine(path, dev_id, mode)``, or empty by a device or handle and then loaded.

    Raises SailEngineError for a file that is missing, cut short or of another chip.
    """

    _mode = IOMode.SYSIO

    def _on_device(self, dev_id: int, /) -> None:
        self._on_handle(Handle(dev_id))

    def _on_handle(self, handle: Handle, /) -> None:
        self._handle = handle
        self._graphs = Graphs(handle)
        self._modes: Dict[str, IOMode] = {}

    def _from_file(self, path: str, dev_id: int, mode: IOMode, /) -> None:
        self._on_device(dev_id)
        self._mode = mode
        self._load_file(path)

    def _from_bytes(self, data: bytes, size: int, dev_id: int, mode: IOMode, /) -> None:
        self._on_device(dev_id)
        self._mode = mode
        self._load_bytes(data, size)

    __init__ = Overloaded(_on_device, _on_handle, _from_file, _from_bytes)

    def _load_file(self, path: str, /) -> bool:
        self._graphs.load(path)
        return True

    def _load_bytes(self, data: bytes, size: int, /) -> bool:
        self._graphs.load_bytes(data, size)
        return True

    load = Overloaded(_load_file, _load_bytes)

    def get_handle(self) -> Handle:
        return self._handle

    def get_device_id(self) -> int:
        return self._handle.get_device_id()

    def set_io_mode(self, graph_name: str, mode: IOMode, /) -> None:
        self._graphs[graph_name]
        self._modes[graph_name] = mode

    def get_graph_names(self) -> List[str]:
        return self._graphs.names()

    def graph_is_dynamic(self, graph_name: str, /) -> bool:
        return self._graphs[graph_name].dynamic

    def get_input_names(self, graph_name: str, /) -> List[str]:
        return [port.name for port in self._graphs[graph_name].inputs]

    def get_output_names(self, graph_name: str, /) -> List[str]:
        return [port.name for port in self._graphs[graph_name].outputs]

    def get_input_shape(self, graph_name: str, tensor_name: str, /) -> List[int]:
        return list(self._graphs.input(graph_name, tensor_name).shapes[0])

    def get_output_shape(self, graph_name: str, tensor_name: str, /) -> List[int]:
        return list(self._graphs.output(graph_name, tensor_name).shapes[0])

    def get_max_input_shapes(self, graph_name: str, /) -> Dict[str, List[int]]:
        return {p.name: p.largest() for p in self._graphs[graph_name].inputs}

    def get_max_output_shapes(self, graph_name: str, /) -> Dict[str, List[int]]:
        return {p.name: p.largest() for p in self._graphs[graph_name].outputs}

    def get_input_dtype(self, graph_name: str, tensor_name: str, /) -> Dtype:
        return Dtype(self._graphs.input(graph_name, tensor_name).dtype)

    def get_output_dtype(self, graph_name: str, tensor_name: str, /) -> Dtype:
        return Dtype(self._graphs.output(graph_name, tensor_name).dtype)

    def get_input_scale(self, graph_name: str, tensor_name: str, /) -> float:
        return self._graphs.input(graph_name, tensor_name).scale

    def get_output_scale(self, graph_name: str, tensor_name: str, /) -> float:
        return self._graphs.output(graph_name, tensor_name).scale

    def _mode_of(self, graph_name: str) -> IOMode:
        return self._modes.get(graph_name, self._mode)

    def create_input_tensors_map(self, graph_name: str, create_mode: int = -1) -> Dict[str, Tensor]:
        """New tensors of the largest shapes; mode 0: host, 1: device, -1: as needed."""
        host = self._mode_of(graph_name).host_inputs
        return self._graphs.create(self._graphs[graph_name].inputs, create_mode, host)

    def create_output_tensors_map(
        self, graph_name: str, create_mode: int = -1
    ) -> Dict[str, Tensor]:
        """The same for the outputs."""
        host = self._mode_of(graph_name).host_outputs
        return self._graphs.create(self._graphs[graph_name].outputs, create_mode, host)

    def _process(
        self,
        graph_name: str,
        input: Dict[str, Tensor],
        output: Dict[str, Tensor],
        core_list: Sequence[int] = (),
    ) -> None:
        graph, mode = self._graphs[graph_name], self._mode_of(graph_name)
        inputs = _in_order(graph_name, "input", graph.inputs, input)
        outputs = _in_order(graph_name, "output", graph.outputs, output)
        if mode.host_inputs:
            for tensor in inputs:
                _with_host(graph_name, tensor).sync_s2d()
        self._graphs.launch(graph_name, inputs, outputs, core_list)
        if mode.host_outputs:
            for tensor in outputs:
                _with_host(graph_name, tensor).sync_d2s()

    def _process_shaped(
        self,
        graph_name: str,
        input: Dict[str, Tensor],
        input_shapes: Dict[str, List[int]],
        output: Dict[str, Tensor],
        core_list: Sequence[int] = (),
    ) -> None:
        for name, shape in input_shapes.items():
            if name in input:
                input[name].reshape(shape)
        self._process(graph_name, input, output, core_list)

    process = Overloaded(_process, _process_shaped)


def _in_order(
    graph_name: str, side: str, ports: Sequence[Port], tensors: Dict[str, Tensor]
) -> List[Tensor]:
    missing = [port.name for port in ports if port.name not in tensors]
    if missing:
        raise SailEngineError(f"{graph_name}: {side} {', '.join(missing)} is not given")
    return [tensors[port.name] for port in ports]


def _with_host(graph_name: str, tensor: Tensor) -> Tensor:
    if not tensor.is_sys_data_valid():
        raise SailEngineError(
            f"{graph_name}: a tensor without host memory in a mode that copies from or to it"
        )
    return tensor
