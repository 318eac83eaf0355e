"""The graphs of an engine: checked, described and launched; both kinds of engine use it."""

from __future__ import annotations

from typing import Dict, List, Sequence

from ..simulator.device import DeviceFailure
from ..simulator.model_file import BadModelFile, check, check_bytes
from ..simulator.networks import Network, NetworkFailure, Networks, Port
from ..simulator.networks import Tensor as LaunchTensor
from .errors import SailEngineError
from .handle import Handle, device_of
from .tensor import Tensor, launched
from .types import Dtype

_PAGE = 4096  # bytes


class Graphs:
    """What was loaded from one or more bmodels."""

    def __init__(self, handle: Handle, flags: int = 0) -> None:
        self._handle = handle
        self._chip = handle.get_target()
        self._networks = Networks(device_of(handle), flags)

    def load(self, path: str) -> None:
        """Raises SailEngineError for a file that is missing, not whole or of another chip."""
        try:
            check(path, self._chip)
            self._networks.load(path)
        except (BadModelFile, NetworkFailure) as error:
            raise SailEngineError(f"{path}: {error}") from error

    def load_bytes(self, data: bytes, size: int) -> None:
        """The same for a file's contents."""
        if size != len(data):
            raise SailEngineError(f"a bmodel of {len(data)} bytes said to have {size}")
        try:
            check_bytes(data, self._chip)
            self._networks.load_bytes(data)
        except (BadModelFile, NetworkFailure) as error:
            raise SailEngineError(f"bmodel in memory: {error}") from error

    def names(self) -> List[str]:
        return self._networks.names()

    def __getitem__(self, name: str) -> Network:
        try:
            return self._networks[name]
        except KeyError:
            raise SailEngineError(
                f"there is no graph {name!r}: there are {', '.join(self.names()) or 'none'}"
            ) from None

    def input(self, graph_name: str, tensor_name: str) -> Port:
        return _named(graph_name, "input", self[graph_name].inputs, tensor_name)

    def output(self, graph_name: str, tensor_name: str) -> Port:
        return _named(graph_name, "output", self[graph_name].outputs, tensor_name)

    def create(self, ports: Sequence[Port], mode: int, host: bool) -> Dict[str, Tensor]:
        """New tensors; mode 0: host memory alone, 1: device alone, else both if ``host``."""
        return {
            port.name: Tensor(
                self._handle,
                port.largest(),
                Dtype(port.dtype),
                mode == 0 or (mode != 1 and host),
                mode != 0,
            )
            for port in ports
        }

    def launch(
        self,
        name: str,
        inputs: Sequence[Tensor],
        outputs: Sequence[Tensor],
        cores: Sequence[int],
    ) -> None:
        """Runs a graph to its end. Raises SailEngineError for what sail would only log."""
        graph = self[name]
        for side, ports, tensors in (
            ("input", graph.inputs, inputs),
            ("output", graph.outputs, outputs),
        ):
            for port, tensor in zip(ports, tensors):
                _check_tensor(f"{name}: {side} {port.name}", port, tensor)
        stage = _check_shapes(graph, [tuple(tensor.shape()) for tensor in inputs])
        for port, tensor in zip(graph.outputs, outputs):
            _check_room(graph, port, port.bytes_of(stage), tensor)
        try:
            self._networks.launch(
                name,
                [LaunchTensor(*launched(tensor)) for tensor in inputs],
                [LaunchTensor(*launched(tensor)) for tensor in outputs],
                cores,
            )
        except (NetworkFailure, DeviceFailure) as error:
            raise SailEngineError(str(error)) from error


def _named(graph_name: str, side: str, ports: Sequence[Port], tensor_name: str) -> Port:
    for port in ports:
        if port.name == tensor_name:
            return port
    names = ", ".join(port.name for port in ports)
    raise SailEngineError(f"{graph_name} has no {side} {tensor_name!r}: it has {names}")


def _check_tensor(what: str, port: Port, tensor: Tensor) -> None:
    if not tensor.is_dev_data_valid():
        raise SailEngineError(f"{what}: the tensor has no device memory")
    if tensor.dtype() != port.dtype:
        raise SailEngineError(
            f"{what} is {Dtype(port.dtype).name}, the tensor is {tensor.dtype().name}"
        )


def _check_shapes(graph: Network, shapes: Sequence[Sequence[int]]) -> int:
    """The stage that a launch with these input shapes would use."""
    for stage in range(graph.stages):
        if all(tuple(s) == port.shapes[stage] for s, port in zip(shapes, graph.inputs)):
            return stage
    for shape, port in zip(shapes, graph.inputs):
        fits = any(
            len(shape) == len(largest) and all(map(int.__le__, shape, largest))
            for largest in port.shapes
        )
        if not graph.dynamic or not fits:
            raise SailEngineError(
                f"{graph.name}: input {port.name} of shape {list(shape)}; it takes "
                f"{'at most ' if graph.dynamic else ''}"
                f"{' or '.join(str(list(s)) for s in dict.fromkeys(port.shapes))}"
            )
    return 0


def _check_room(graph: Network, port: Port, needed: int, tensor: Tensor) -> None:
    """An output's memory must hold it; a dynamic graph's, the largest that it can be.

    The runtime ends the process otherwise (it counts whole pages for dynamic graphs), or
    writes beyond the end.
    """
    room = launched(tensor)[0].size
    if graph.dynamic:
        needed, room = port.max_bytes, -(-room // _PAGE) * _PAGE
    if needed > room:
        largest = ", the largest that it can be: reshape a tensor of that size"
        raise SailEngineError(
            f"{graph.name}: output {port.name} has {needed} bytes"
            f"{largest if graph.dynamic else ''}; its tensor has room for {room}"
        )
