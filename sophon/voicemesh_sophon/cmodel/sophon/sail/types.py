"""The enumerations of sail and what its element types are in numpy."""

from __future__ import annotations

import enum
from typing import Dict, Tuple

import numpy as np


class Dtype(enum.IntEnum):
    """Element types; the numbers are the runtime's ``bm_data_type_t``."""

    BM_FLOAT32 = 0
    BM_FLOAT16 = 1
    BM_INT8 = 2
    BM_UINT8 = 3
    BM_INT16 = 4
    BM_UINT16 = 5
    BM_INT32 = 6
    BM_UINT32 = 7
    BM_BFLOAT16 = 8


class BmrtFlag(enum.IntEnum):
    """How the runtime of an EngineLLM uses memory."""

    BM_RUNTIME_AUTO = 0
    BM_RUNTIME_SHARE_MEM = 1


class IOMode(enum.IntEnum):
    """On which side ``Engine.process`` finds inputs and leaves outputs by itself.

    "SYS" with I, O or IO: inputs, outputs or both are copied from and to host memory.
    """

    SYSI = 0
    SYSO = 1
    SYSIO = 2
    DEVIO = 3

    @property
    def host_inputs(self) -> bool:
        return self in (IOMode.SYSI, IOMode.SYSIO)

    @property
    def host_outputs(self) -> bool:
        return self in (IOMode.SYSO, IOMode.SYSIO)


# What asnumpy() gives and update_data() takes: 16-bit floats travel as raw uint16.
_STORAGE: Dict[int, np.dtype] = {
    Dtype.BM_FLOAT32: np.dtype(np.float32),
    Dtype.BM_FLOAT16: np.dtype(np.uint16),
    Dtype.BM_INT8: np.dtype(np.int8),
    Dtype.BM_UINT8: np.dtype(np.uint8),
    Dtype.BM_INT16: np.dtype(np.int16),
    Dtype.BM_UINT16: np.dtype(np.uint16),
    Dtype.BM_INT32: np.dtype(np.int32),
    Dtype.BM_UINT32: np.dtype(np.uint32),
    Dtype.BM_BFLOAT16: np.dtype(np.uint16),
}

# The array types that a Tensor is made from as they are; all others become float32.
_CONSTRUCTED = {
    np.dtype(np.float32): Dtype.BM_FLOAT32,
    np.dtype(np.int8): Dtype.BM_INT8,
    np.dtype(np.uint8): Dtype.BM_UINT8,
    np.dtype(np.int32): Dtype.BM_INT32,
}


def storage(dtype: int) -> np.dtype:
    """The numpy type that holds an element as it lies in memory."""
    return _STORAGE[Dtype(dtype)]


def constructed(array: np.ndarray) -> Tuple[np.ndarray, Dtype]:
    """``(array, Dtype)`` as sail's array constructors take an array of any type."""
    if array.dtype not in _CONSTRUCTED:
        array = array.astype(np.float32)
    return np.ascontiguousarray(array), _CONSTRUCTED[array.dtype]


def scalar_bits(value: float, dtype: int) -> np.ndarray:
    """One element of ``dtype`` with a number's nearest value, as an array of shape []."""
    if dtype == Dtype.BM_FLOAT16:
        return np.array(value, np.float16).view(np.uint16)
    if dtype == Dtype.BM_BFLOAT16:
        bits = np.array(value, np.float32).view(np.uint32)
        return ((bits + 0x7FFF + (bits >> 16 & 1)) >> 16).astype(np.uint16)
    return np.array(value).astype(storage(dtype))
