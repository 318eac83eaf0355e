"""The newest samples of a stream."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Signal = NDArray[np.float32]

_ROOM = 4


class Recent:
    """Keeps the newest ``capacity`` samples; before the first there is silence."""

    def __init__(self, capacity: int) -> None:
        """In samples."""
        self._capacity = capacity
        self._kept: Signal = np.zeros(_ROOM * capacity, np.float32)
        self._end = capacity

    def push(self, samples: Signal) -> None:
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

    def clear(self) -> None:
        """Silence."""
        self._kept[:] = 0
        self._end = self._capacity
