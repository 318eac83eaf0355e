"""EngineLLM: networks of a language model, with tensors by number."""

from __future__ import annotations

from typing import Dict, List, Sequence, Tuple

from ..simulator.networks import Port
from .errors import SailEngineError
from .graphs import Graphs
from .handle import Handle
from .overloads import Overloaded
from .tensor import Tensor
from .types import Dtype

_IO_ALONE = 1  # the address mode of networks whose inputs and outputs the runtime owns


class EngineLLM:
    """``EngineLLM(path, [0])``. The simulator has one device.

    Raises SailEngineError for a file that is missing, cut short or of another chip.
    """

    def _from_file(self, bmodel_path: str, tpu_ids: List[int], /) -> None:
        self._open(tpu_ids)
        self._graphs.load(bmodel_path)

    def _from_file_flagged(self, bmodel_path: str, flags: int, tpu_ids: List[int], /) -> None:
        self._open(tpu_ids, flags)
        self._graphs.load(bmodel_path)

    def _from_bytes(self, bmodel_bytes: bytes, bmodel_size: int, tpu_ids: List[int], /) -> None:
        self._open(tpu_ids)
        self._graphs.load_bytes(bmodel_bytes, bmodel_size)

    __init__ = Overloaded(_from_file, _from_file_flagged, _from_bytes)

    def _open(self, tpu_ids: Sequence[int], flags: int = 0) -> None:
        if list(tpu_ids) != [0]:
            raise SailEngineError(f"devices {list(tpu_ids)}: the simulator has device 0 alone")
        self._handle = Handle(0)
        self._graphs = Graphs(self._handle, flags)
        self._own: Dict[Tuple[str, str, int, int], Tensor] = {}

    def get_device_ids(self) -> List[int]:
        return [0]

    def get_graph_names(self) -> List[str]:
        return self._graphs.names()

    def get_addr_mode(self, graph_name: str, /) -> int:
        return self._graphs[graph_name].address_mode

    def get_is_dynamic(self, graph_name: str, /) -> bool:
        return self._graphs[graph_name].dynamic

    def get_stage_num(self, graph_name: str, /) -> int:
        return self._graphs[graph_name].stages

    def get_input_num(self, graph_name: str, /) -> int:
        return len(self._graphs[graph_name].inputs)

    def get_output_num(self, graph_name: str, /) -> int:
        return len(self._graphs[graph_name].outputs)

    def get_input_name(self, graph_name: str, index: int, /) -> str:
        return self._input(graph_name, index).name

    def get_output_name(self, graph_name: str, index: int, /) -> str:
        return self._output(graph_name, index).name

    def get_input_names(self, graph_name: str, /) -> List[str]:
        return [port.name for port in self._graphs[graph_name].inputs]

    def get_output_names(self, graph_name: str, /) -> List[str]:
        return [port.name for port in self._graphs[graph_name].outputs]

    def get_input_shape(self, graph_name: str, index: int, stage: int = 0) -> List[int]:
        return list(self._shape(self._input(graph_name, index), stage))

    def get_output_shape(self, graph_name: str, index: int, stage: int = 0) -> List[int]:
        return list(self._shape(self._output(graph_name, index), stage))

    def get_input_max_shape(self, graph_name: str, index: int, /) -> List[int]:
        """The first stage's shape, which is all that sail means by it."""
        return self.get_input_shape(graph_name, index)

    def get_output_max_shape(self, graph_name: str, index: int, /) -> List[int]:
        return self.get_output_shape(graph_name, index)

    def get_input_dtype(self, graph_name: str, index: int, /) -> Dtype:
        return Dtype(self._input(graph_name, index).dtype)

    def get_output_dtype(self, graph_name: str, index: int, /) -> Dtype:
        return Dtype(self._output(graph_name, index).dtype)

    def _input(self, graph_name: str, index: int) -> Port:
        return _numbered(graph_name, "input", self._graphs[graph_name].inputs, index)

    def _output(self, graph_name: str, index: int) -> Port:
        return _numbered(graph_name, "output", self._graphs[graph_name].outputs, index)

    @staticmethod
    def _shape(port: Port, stage: int) -> Sequence[int]:
        if not 0 <= stage < len(port.shapes):
            raise SailEngineError(f"stage {stage} of {len(port.shapes)}")
        return port.shapes[stage]

    def _owned(self, graph_name: str, side: str, stage: int) -> Dict[int, Tensor]:
        """The runtime's own memory as tensors, the same objects each time."""
        graph = self._graphs[graph_name]
        ports = graph.inputs if side == "input" else graph.outputs
        for index, port in enumerate(ports):
            key = (graph_name, side, stage, index)
            if key not in self._own:
                shape, memory = self._shape(port, stage), port.memories[stage]
                if not memory.size:
                    raise SailEngineError(f"{graph_name}: {side} {port.name} has no memory yet")
                self._own[key] = Tensor.on(self._handle, shape, port.dtype, memory)
        return {i: self._own[graph_name, side, stage, i] for i in range(len(ports))}

    def _io_alone(self, graph_name: str) -> None:
        mode = self.get_addr_mode(graph_name)
        if mode != _IO_ALONE:
            raise SailEngineError(
                f"{graph_name} has address mode {mode}: only networks of mode {_IO_ALONE} "
                "have tensors of their own"
            )

    def _get_input_tensors(self, graph_name: str, stage: int = 0) -> Dict[int, Tensor]:
        self._io_alone(graph_name)
        return self._owned(graph_name, "input", stage)

    def _get_named_input_tensors(
        self, graph_name: str, tensor_name: str, stage: int = 0
    ) -> Dict[int, Tensor]:
        names = self.get_input_names(graph_name)
        found = self._get_input_tensors(graph_name, stage)
        return {i: tensor for i, tensor in found.items() if names[i] == tensor_name}

    get_input_tensors = Overloaded(_get_input_tensors, _get_named_input_tensors)

    def _get_output_tensors(self, graph_name: str, stage: int = 0) -> Dict[int, Tensor]:
        self._io_alone(graph_name)
        return self._owned(graph_name, "output", stage)

    def _get_named_output_tensors(
        self, graph_name: str, tensor_name: str, stage: int = 0
    ) -> Dict[int, Tensor]:
        names = self.get_output_names(graph_name)
        found = self._get_output_tensors(graph_name, stage)
        return {i: tensor for i, tensor in found.items() if names[i] == tensor_name}

    get_output_tensors = Overloaded(_get_output_tensors, _get_named_output_tensors)

    def get_input_tensor(self, graph_name: str, index: int, stage: int = 0) -> Tensor:
        self._input(graph_name, index)
        return self._get_input_tensors(graph_name, stage)[index]

    def get_output_tensor(self, graph_name: str, index: int, stage: int = 0) -> Tensor:
        self._output(graph_name, index)
        return self._get_output_tensors(graph_name, stage)[index]

    def get_input_tensors_addrmode0(self, graph_name: str, stage: int = 0) -> Dict[int, Tensor]:
        """The runtime's memory of a network of any address mode."""
        return self._owned(graph_name, "input", stage)

    def get_output_tensors_addrmode0(self, graph_name: str, stage: int = 0) -> Dict[int, Tensor]:
        return self._owned(graph_name, "output", stage)

    def create_max_input_tensors(self, graph_name: str) -> Dict[int, Tensor]:
        """New tensors on the device."""
        ports = self._graphs[graph_name].inputs
        return dict(enumerate(self._graphs.create(ports, 1, False).values()))

    def create_max_output_tensors(self, graph_name: str) -> Dict[int, Tensor]:
        ports = self._graphs[graph_name].outputs
        return dict(enumerate(self._graphs.create(ports, 1, False).values()))

    def process(
        self,
        graph_name: str,
        input: Dict[int, Tensor],
        output: Dict[int, Tensor],
        core_list: Sequence[int] = (0,),
    ) -> None:
        """Runs a network; ``core_list`` is not used, as in sail."""
        graph = self._graphs[graph_name]
        sides = ((graph.inputs, input, "input"), (graph.outputs, output, "output"))
        for ports, tensors, side in sides:
            missing = [i for i in range(len(ports)) if i not in tensors]
            if missing:
                raise SailEngineError(f"{graph_name}: {side} {missing} is not given")
        self._graphs.launch(
            graph_name,
            [input[i] for i in range(len(graph.inputs))],
            [output[i] for i in range(len(graph.outputs))],
            (),
        )


def _numbered(graph_name: str, side: str, ports: Sequence[Port], index: int) -> Port:
    if not 0 <= index < len(ports):
        raise SailEngineError(f"{graph_name} has no {side} {index}: it has {len(ports)}")
    return ports[index]
