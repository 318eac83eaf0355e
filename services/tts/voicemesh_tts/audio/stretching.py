"""Faster and slower speech at the same pitch."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_FRAME_S = 0.03
# Far enough to find the same phase of the lowest voices (70 Hz).
_SEARCH_S = 0.0075


def stretched(samples: NDArray[np.float32], rate_hertz: int, speed: float) -> NDArray[np.float32]:
    """Speech that lasts ``1 / speed`` times as long, by WSOLA.

    Frames of 30 ms that overlap by half are taken from about where the speed wants
    them, each at the offset at which it continues the one before best (W. Verhelst
    and M. Roelands, ICASSP 1993).
    """
    half = int(rate_hertz * _FRAME_S) // 2
    search = int(rate_hertz * _SEARCH_S)
    total = round(len(samples) / speed)
    if speed == 1.0 or len(samples) < 4 * half:
        return samples
    fade_in = np.sin(np.linspace(0, np.pi / 2, half, endpoint=False, dtype=np.float32)) ** 2
    padded = np.pad(samples, (search, 2 * half + 2 * search))
    out = np.zeros(total + 2 * half, np.float32)
    out[:half] = samples[:half]
    following = padded[search + half : search + 2 * half]  # what would come next
    for position in range(half, total, half):
        ideal = min(round(position * speed), len(samples))
        region = padded[ideal : ideal + 2 * search + half]
        begin = ideal + int(np.argmax(_likeness(region, following)))
        frame = padded[begin : begin + half]
        out[position : position + half] = following * (1 - fade_in) + frame * fade_in
        following = padded[begin + half : begin + 2 * half]
    return out[:total]


def _likeness(region: NDArray[np.float32], wanted: NDArray[np.float32]) -> NDArray[np.float64]:
    """The normalised correlation of ``wanted`` with each stretch of ``region``."""
    products = np.correlate(region, wanted, "valid")
    energy = np.cumsum(np.concatenate([[0.0], np.square(region, dtype=np.float64)]))
    power = energy[len(wanted) :] - energy[: -len(wanted)]
    likeness: NDArray[np.float64] = products / np.sqrt(power + 1e-9)
    return likeness
