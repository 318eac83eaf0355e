"""The newest samples of a stream."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Signal = NDArray[np.float32]

_ROOM = 4
KERNEL = 8
"""Half the length of the windowed sinc that finds samples between samples."""
_OFFSETS = np.arange(1 - KERNEL, KERNEL + 1)


class Recent:
    """Keeps the newest ``capacity`` samples; before the first there is silence."""

    def __init__(self, capacity: int) -> None:
        """In samples."""
        self._capacity = capacity
        self._kept: Signal = np.zeros(_ROOM * capacity, np.float32)
        self._end = capacity

    def feed(self, samples: Signal) -> None:
        """At most ``capacity`` samples more."""
        if self._end + len(samples) > len(self._kept):
            self._kept[: self._capacity] = self._kept[self._end - self._capacity : self._end]
            self._end = self._capacity
        self._kept[self._end : self._end + len(samples)] = samples
        self._end += len(samples)

    def last(self, count: int, before: int = 0) -> Signal:
        """``count`` samples of which the last is followed by ``before`` newer ones. A view."""
        end = self._end - before
        return self._kept[end - count : end]

    def between(self, count: int, before: float) -> Signal:
        """The same for a ``before`` that is no whole number. A copy.

        Less than ``KERNEL`` newer ones are not enough to look between samples.
        """
        whole = int(np.ceil(before))
        fraction = whole - before
        if whole < KERNEL or fraction < 1e-3:
            return self.last(count, whole).copy()
        distance = fraction - _OFFSETS
        taps = np.sinc(distance) * np.cos(np.pi * distance / (2 * KERNEL + 2)) ** 2
        around = self.last(count + 2 * KERNEL - 1, whole - KERNEL)
        return np.correlate(around, taps.astype(np.float32), "valid").astype(np.float32)

    def clear(self) -> None:
        """Silence."""
        self._kept[:] = 0
        self._end = self._capacity
