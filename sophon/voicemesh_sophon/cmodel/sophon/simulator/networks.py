"""Networks of loaded bmodels and their launches."""

from __future__ import annotations

import atexit
import ctypes
import os
import weakref
from math import prod
from typing import Any, Dict, List, NamedTuple, Sequence, Tuple

from .device import Device
from .libraries import libraries
from .structures import LaunchTensor, Memory, NetworkInfo, Shape

_ELEMENT_BYTES = (4, 2, 1, 1, 2, 2, 4, 4, 2)  # by the runtime's number of the type


class NetworkFailure(Exception):
    """A bmodel that does not load or a launch that fails."""


class Port(NamedTuple):
    """One input or output of a network; the tuples have an entry for each stage."""

    name: str
    dtype: int
    scale: float
    max_bytes: int
    shapes: Tuple[Tuple[int, ...], ...]
    memories: Tuple[Memory, ...]

    def bytes_of(self, stage: int) -> int:
        """Bytes of a stage's shape."""
        return prod(self.shapes[stage]) * _ELEMENT_BYTES[self.dtype]

    def largest(self) -> List[int]:
        """The first stage's shape: compilers put the largest one there."""
        return list(self.shapes[0])


class Network(NamedTuple):
    """A network as the runtime describes it."""

    name: str
    dynamic: bool
    inputs: Tuple[Port, ...]
    outputs: Tuple[Port, ...]
    stages: int
    cores: int
    address_mode: int


class Tensor(NamedTuple):
    """What a launch reads or writes."""

    memory: Memory
    shape: Tuple[int, ...]


def _network(info: NetworkInfo) -> Network:
    stages = [info.stages[s] for s in range(info.stage_count)]

    def ports(side: str) -> Tuple[Port, ...]:
        return tuple(
            Port(
                name=getattr(info, f"{side}_names")[i].decode(),
                dtype=getattr(info, f"{side}_dtypes")[i],
                scale=getattr(info, f"{side}_scales")[i],
                max_bytes=getattr(info, f"max_{side}_bytes")[i],
                shapes=tuple(getattr(s, f"{side}_shapes")[i].tuple() for s in stages),
                memories=tuple(
                    Memory.from_buffer_copy(getattr(s, f"{side}_memories")[i]) for s in stages
                ),
            )
            for i in range(getattr(info, f"{side}_count"))
        )

    return Network(
        name=info.name.decode(),
        dynamic=bool(info.is_dynamic),
        inputs=ports("input"),
        outputs=ports("output"),
        stages=info.stage_count,
        cores=info.core_count,
        address_mode=info.address_mode,
    )


_open: weakref.WeakSet[Networks] = weakref.WeakSet()


@atexit.register
def _close_all() -> None:
    """Without this the simulator's threads outlive their code, and the process crashes."""
    for networks in list(_open):
        networks.close()


class Networks:
    """A runtime with the bmodels that were loaded into it."""

    def __init__(self, device: Device, flags: int = 0) -> None:
        """``flags`` are the runtime's, see ``BmrtFlag``."""
        self._device = device
        self._libraries = libraries()
        self._runtime = self._libraries.runtime
        with device.lock:
            self._handle = self._runtime.bmrt_create(device.handle)
        if not self._handle:
            raise NetworkFailure("the runtime does not start")
        if flags:
            self._runtime.bmrt_set_flags(self._handle, flags)
        self._found: Dict[str, Network] = {}
        _open.add(self)

    def load(self, path: str) -> List[str]:
        """Loads a bmodel and returns the names of its networks."""
        return self._load(path, self._runtime.bmrt_load_bmodel, os.fsencode(path))

    def _load(self, what: str, function: Any, *arguments: Any) -> List[str]:
        with self._device.lock:
            return self._load_alone(what, function, *arguments)

    def _load_alone(self, what: str, function: Any, *arguments: Any) -> List[str]:
        chatter = self._libraries.chatter
        chatter.clear()
        if not function(self._handle, *arguments):
            raise NetworkFailure(f"{what} does not load: {chatter.last()}")
        added = []
        for index in range(self._runtime.bmrt_get_network_number(self._handle)):
            name = self._runtime.bmrt_get_network_name(self._handle, index)
            if name.decode() not in self._found:
                info = self._runtime.bmrt_get_network_info(self._handle, name)
                self._found[name.decode()] = _network(info.contents)
                added.append(name.decode())
        return added

    def load_bytes(self, data: bytes) -> List[str]:
        """The same for a file's contents."""
        buffer = ctypes.create_string_buffer(data, len(data))
        return self._load("a bmodel", self._runtime.bmrt_load_bmodel_data, buffer, len(data))

    def names(self) -> List[str]:
        return list(self._found)

    def __getitem__(self, name: str) -> Network:
        return self._found[name]

    def launch(
        self, name: str, inputs: Sequence[Tensor], outputs: Sequence[Tensor], cores: Sequence[int]
    ) -> List[Tuple[int, ...]]:
        """Runs a network to its end; returns the outputs' real shapes."""
        network = self._found[name]
        given = _launch_tensors(network.inputs, inputs)
        wanted = _launch_tensors(network.outputs, outputs)
        arguments = [self._handle, name.encode(), given, len(inputs), wanted, len(outputs)]
        arguments += [True, False]  # the memory is ours; layouts are as compiled
        with self._device.lock:
            if cores:
                numbers = (ctypes.c_int * len(cores))(*cores)
                done = self._runtime.bmrt_launch_tensor_multi_cores(*arguments, numbers, len(cores))
            else:
                done = self._runtime.bmrt_launch_tensor_ex(*arguments)
            if not done:
                raise NetworkFailure(f"{name} does not run: {self._libraries.chatter.last()}")
            self._device.wait(cores)
            self._libraries.chatter.trim()
        return [tensor.shape.tuple() for tensor in wanted]

    def close(self) -> None:
        """Frees the networks' memory on the device."""
        handle, self._handle = self._handle, None
        if handle:
            with self._device.lock:
                self._libraries.destroy(handle)

    def __del__(self) -> None:
        if getattr(self, "_handle", None):
            self.close()


def _launch_tensors(ports: Sequence[Port], tensors: Sequence[Tensor]) -> ctypes.Array[LaunchTensor]:
    array = (LaunchTensor * len(tensors))()
    for slot, port, tensor in zip(array, ports, tensors):
        slot.dtype, slot.shape, slot.memory = port.dtype, Shape.of(tensor.shape), tensor.memory
    return array
