"""bfloat16, which numpy lacks: the upper half of a float32.

Arrays hold the raw bits as uint16.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt


def to_bfloat16(values: npt.ArrayLike) -> npt.NDArray[np.uint16]:
    """The bits of ``values`` rounded to the nearest bfloat16, ties to even; NaN stays NaN."""
    single = np.asarray(values, np.float32)
    bits = single.view(np.uint32)
    rounded = (bits + (0x7FFF + ((bits >> 16) & 1))) >> 16
    quiet = (bits >> 16) | 0x40  # Rounding up could turn a NaN into an infinity.
    return np.where(np.isnan(single), quiet, rounded).astype(np.uint16)


def from_bfloat16(bits: npt.NDArray[np.uint16]) -> npt.NDArray[np.float32]:
    """The float32 values of bfloat16 ``bits``, exactly."""
    return (np.asarray(bits, np.uint16).astype(np.uint32) << 16).view(np.float32)
