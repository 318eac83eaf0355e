"""The contents of a chip: pieces of memory, places in them, loaded models."""

from __future__ import annotations

import math
from typing import Any, Sequence

import numpy as np

from .bmodel_file import BmodelFile, NetEntry, SlotEntry
from .sail_chip import KINDS, LoadedModel

MAX_RANK = 8  # Of the runtime's shapes.


class Refused(Exception):
    """What a client asks for is wrong, or more than it may have."""


class Memory:
    """A piece of device memory."""

    def __init__(self, tensor: Any, shape: tuple[int, ...], dtype: str, model: int = 0) -> None:
        """``model``: whose own memory it is; 0 for memory that a client asked for."""
        self.tensor = tensor
        self.shape = shape
        self.dtype = dtype
        self.model = model
        self.count = math.prod(shape)
        self.nbytes = self.count * np.dtype(KINDS[dtype][1]).itemsize
        self.places: dict[tuple[int, ...], Place] = {}
        """Those that were used, by offset and shape."""


class Place:
    """Some elements of a piece of memory, seen as a tensor. Made once, used many times."""

    def __init__(
        self, memory: Memory, shape: tuple[int, ...], offset: int, stride: int = 0
    ) -> None:
        """It lies within the memory. ``stride``: by how many elements a program moves it on."""
        self.memory = memory
        self.shape = shape
        self.offset = offset
        self.stride = stride
        self.lengths = list(shape)
        self.dtype = memory.dtype
        self.count = math.prod(shape)
        self.tensors: dict[int, Any] = {}
        """Tensors of sail's for it, by the room behind them."""

    def at(self, position: int) -> Place:
        """Where it lies when a program starts at ``position``."""
        if not self.stride:
            return self
        return Place(self.memory, self.shape, self.offset + position * self.stride)


class Model:
    """Loaded files: their networks by name."""

    def __init__(self, loaded: LoadedModel, files: Sequence[BmodelFile], nbytes: int) -> None:
        """``nbytes``: the device memory that it takes."""
        self.loaded = loaded
        self.files = files
        self.nbytes = nbytes
        self.nets: dict[str, NetEntry] = {}
        self.paths: dict[str, str] = {}
        self.rooms: dict[str, list[int]] = {}
        """The memory behind each input and output of a network, in elements."""
        self.stages: dict[tuple[str, tuple[tuple[int, ...], ...]], int] = {}
        """Stages of networks by the inputs' shapes that were seen."""
        for file in files:
            for net in file.nets:
                self.nets[net.name] = net
                self.paths[net.name] = file.path
                slots = (*net.input_slots, *net.output_slots)
                self.rooms[net.name] = [_room(net, slot) for slot in slots]


def _room(net: NetEntry, slot: SlotEntry) -> int:
    """The memory that the runtime wants to see behind a tensor, in elements.

    Of a dynamic network it is that of the largest shape, whatever shape it is launched
    with: the runtime ends the process where there is less.
    """
    return math.prod(slot.shape) if net.dynamic else 0


def checked_shape(shape: Any) -> tuple[int, ...]:
    """The shape that a client names; Refused where it is none."""
    good = isinstance(shape, list) and 0 < len(shape) <= MAX_RANK
    if not good or not all(isinstance(n, int) and 0 < n < 1 << 31 for n in shape):
        raise Refused(f"{shape!r} is no shape: 1 to {MAX_RANK} positive lengths")
    if math.prod(shape) >= 1 << 32:  # The runtime keeps sizes in 32 bits.
        raise Refused(f"{shape!r} has too many elements")
    return tuple(shape)
