"""How loud the echo is, before and after the filter."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

Signal = NDArray[np.float32]

_MEMORY_S = 1.0
_LATELY_S = 0.25


def _energy(signal: Signal) -> float:
    return float(np.dot(signal, signal))


class Levels:
    """Powers of the last second in which the robot alone was heard, and of the last moments."""

    def __init__(self, rate_hertz: int, block: int) -> None:
        """For blocks of ``block`` samples."""
        self._memory = math.exp(-block / rate_hertz / _MEMORY_S)
        self._short_memory = math.exp(-block / rate_hertz / _LATELY_S)
        self.reset()

    def reset(self) -> None:
        """Nothing was heard."""
        self._heard = self._left = self._played = 0.0
        self._lately_heard = self._lately_left = 0.0

    def feed(self, heard: Signal, left: Signal, played: Signal, user_speaks: bool) -> None:
        """The next block, what the filter leaves of it, and what was played for it."""
        power_heard, power_left = _energy(heard), _energy(left)
        self._lately_heard = self._short_memory * self._lately_heard + power_heard
        self._lately_left = self._short_memory * self._lately_left + power_left
        if user_speaks:
            return
        self._heard = self._memory * self._heard + power_heard
        self._left = self._memory * self._left + power_left
        self._played = self._memory * self._played + _energy(played)

    @property
    def lately_db(self) -> float:
        """How much the filter has explained in the last moments."""
        if self._lately_heard <= 0:
            return 0.0
        return 10 * math.log10(self._lately_heard / max(self._lately_left, 1e-3))

    @property
    def return_loss_db(self) -> float | None:
        """How much weaker the echo is than what was played; None: nothing was."""
        if self._played <= 0 or self._heard <= 0:
            return None
        return 10 * math.log10(self._played / self._heard)

    @property
    def cancelled_db(self) -> float | None:
        """How much weaker it is after the filter than before."""
        if self._played <= 0 or self._heard <= 0:
            return None
        return 10 * math.log10(self._heard / max(self._left, 1e-3))
