"""Device memory as the client sees it."""

from __future__ import annotations

import math
import weakref
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from voicemesh.errors import EngineError

Shape = tuple[int, ...]

STORED: dict[str, np.dtype[Any]] = {
    name: np.dtype(kind)
    for name, kind in {
        "float32": np.float32,
        "float16": np.float16,
        "bfloat16": np.uint16,
        "int32": np.int32,
        "uint32": np.uint32,
        "int16": np.int16,
        "uint16": np.uint16,
        "int8": np.int8,
        "uint8": np.uint8,
    }.items()
}
"""The element types of tensors, and the numpy type that holds one on the host."""


class DeviceMemory:
    """A piece of the chip's memory; freed when the last tensor on it has gone."""

    def __init__(
        self, number: int, count: int, dtype: str, chip: object, forget: Callable[[int], None]
    ) -> None:
        """``number`` is the owner's name for it; ``forget`` frees it, from any thread."""
        self.number = number
        self.count = count
        self.dtype = dtype
        self.chip = chip
        self.free = weakref.finalize(self, forget, number)
        self.free.atexit = False  # The owner frees what a client that has gone left.


class DeviceTensor:
    """Elements of device memory: a whole piece, or a view of one."""

    def __init__(
        self, memory: DeviceMemory, shape: Shape, offset: int = 0, stride: int = 0
    ) -> None:
        """Made by ``Chip.tensor``, ``Net.input_tensor``, ``view`` and ``moving``."""
        self.memory = memory
        self.shape = shape
        self.offset = offset
        """Elements of the memory before the first one."""
        self.stride = stride
        """Elements by which it lies further on at each position of a program."""

    @property
    def dtype(self) -> str:
        """The element type, such as "float16"."""
        return self.memory.dtype

    @property
    def size(self) -> int:
        """The number of elements."""
        return math.prod(self.shape)

    @property
    def nbytes(self) -> int:
        """Its size in bytes."""
        return self.size * STORED[self.dtype].itemsize

    def view(self, shape: Sequence[int], offset: int = 0) -> DeviceTensor:
        """A tensor over the same memory, from element ``offset`` of this one on.

        Costs nothing until it is used, and keeps the memory alive. EngineError where
        it would reach beyond this tensor.
        """
        wanted = tuple(int(length) for length in shape)
        if min(wanted, default=1) < 1 or offset < 0 or offset + math.prod(wanted) > self.size:
            raise EngineError(
                f"a view of shape {list(wanted)} from element {offset} on does not fit into "
                f"{list(self.shape)}; take a smaller shape or offset"
            )
        return DeviceTensor(self.memory, wanted, self.offset + offset, self.stride)

    def moving(self, shape: Sequence[int], stride: int) -> DeviceTensor:
        """A view for the steps of a program: from element ``position * stride`` of this one on.

        That it stays within the memory is checked when the program is prepared. EngineError
        where it would not at position 0.
        """
        first = self.view(shape)
        return DeviceTensor(self.memory, first.shape, first.offset, stride)

    def free(self) -> None:
        """Free the memory now, under every view of it; using them is an error from then on."""
        self.memory.free()

    @property
    def alive(self) -> bool:
        """Whether the memory has not been freed."""
        return self.memory.free.alive

    def __repr__(self) -> str:
        return f"DeviceTensor({list(self.shape)}, {self.dtype}, memory {self.memory.number})"
