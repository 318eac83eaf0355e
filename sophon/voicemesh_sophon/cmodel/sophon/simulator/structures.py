"""The C structures of the runtime library, as its public headers lay them out.

Source: ``bmlib_runtime.h`` and ``bmdef.h`` of the vendor's libsophon. Unions are written
flat, because ctypes passes no union by value.
"""

from __future__ import annotations

import ctypes
from typing import Sequence, Tuple

_MAX_DIMENSIONS = 8


class Memory(ctypes.Structure):
    """``bm_device_mem_t``: a piece of device memory."""

    _fields_ = [
        ("address", ctypes.c_uint64),
        ("reserved", ctypes.c_uint32),
        ("dma_buffer", ctypes.c_int32),
        ("flags", ctypes.c_uint32),
        ("size", ctypes.c_uint32),  # bytes
    ]

    def part(self, offset: int, size: int) -> Memory:
        """``size`` bytes of this memory from ``offset`` on."""
        return Memory(self.address + offset, 0, self.dma_buffer, self.flags, size)


class Shape(ctypes.Structure):
    """``bm_shape_t``."""

    _fields_ = [("rank", ctypes.c_int), ("sizes", ctypes.c_int * _MAX_DIMENSIONS)]

    @classmethod
    def of(cls, shape: Sequence[int]) -> Shape:
        return cls(len(shape), (ctypes.c_int * _MAX_DIMENSIONS)(*shape))

    def tuple(self) -> Tuple[int, ...]:
        return tuple(self.sizes[: self.rank])


class LaunchTensor(ctypes.Structure):
    """``bm_tensor_t``: an input or output of one launch."""

    _fields_ = [
        ("dtype", ctypes.c_int),
        ("shape", Shape),
        ("memory", Memory),
        ("store_mode", ctypes.c_int),
    ]


class Stage(ctypes.Structure):
    """``bm_stage_info_t``: one set of shapes that a network was compiled for."""

    _fields_ = [
        ("input_shapes", ctypes.POINTER(Shape)),
        ("output_shapes", ctypes.POINTER(Shape)),
        ("input_memories", ctypes.POINTER(Memory)),
        ("output_memories", ctypes.POINTER(Memory)),
    ]


class NetworkInfo(ctypes.Structure):
    """``bm_net_info_t``."""

    _fields_ = [
        ("name", ctypes.c_char_p),
        ("is_dynamic", ctypes.c_bool),
        ("input_count", ctypes.c_int),
        ("input_names", ctypes.POINTER(ctypes.c_char_p)),
        ("input_dtypes", ctypes.POINTER(ctypes.c_int)),
        ("input_scales", ctypes.POINTER(ctypes.c_float)),
        ("output_count", ctypes.c_int),
        ("output_names", ctypes.POINTER(ctypes.c_char_p)),
        ("output_dtypes", ctypes.POINTER(ctypes.c_int)),
        ("output_scales", ctypes.POINTER(ctypes.c_float)),
        ("stage_count", ctypes.c_int),
        ("stages", ctypes.POINTER(Stage)),
        ("max_input_bytes", ctypes.POINTER(ctypes.c_size_t)),
        ("max_output_bytes", ctypes.POINTER(ctypes.c_size_t)),
        ("input_zero_points", ctypes.POINTER(ctypes.c_int)),
        ("output_zero_points", ctypes.POINTER(ctypes.c_int)),
        ("input_devices", ctypes.POINTER(ctypes.c_int)),
        ("output_devices", ctypes.POINTER(ctypes.c_int)),
        ("core_count", ctypes.c_int),
        ("address_mode", ctypes.c_int),
    ]
