"""The drift between the clocks of speaker and microphone, found from the echo itself."""

from __future__ import annotations

import numpy as np

from voicemesh_robot.echo.adaptive_filter import Prediction

# The filter follows the way with a lag; how far it lags behind a drift is measured over
# this time, and believed at this pace: a drift is known after two to three seconds.
_MEMORY_S = 0.25
_PACE_PER_S2 = 2.5
_GREATEST = 300e-6
"""Crystals are worse than this only when they are broken."""
# The estimate varies by some 10 ppm; its mean over this time is good enough to go on with
# while there is no echo to measure. Two devices that differ by less share a crystal.
_MEAN_S = 4.0
_APART = 20e-6


class DriftTracker:
    """The integral part of a delay-locked loop; the adaptive filter is the proportional one.

    Where the echo comes ``x`` samples later than predicted, the residual is about
    ``-x`` times the prediction's derivative. So the projection of one on the other
    tells x; while the user speaks it is noise.
    """

    def __init__(self, rate_hertz: int, block: int) -> None:
        """For blocks of ``block`` samples."""
        self._block = block
        self._block_s = block / rate_hertz
        self._memory = float(np.exp(-self._block_s / _MEMORY_S))
        self._slow = float(np.exp(-self._block_s / _MEAN_S))
        self.reset()

    def reset(self) -> None:
        """Another device."""
        self.drift = 0.0
        """By how much faster the microphone's samples come, as a share: 1e-4 is 100 ppm."""
        self._mean = 0.0
        self._products = self._energy = 0.0

    def forget_past(self) -> None:
        """Another filter."""
        self._products = self._energy = 0.0

    def feed(self, block: Prediction, user_speaks: bool) -> None:
        """The next block."""
        self._products *= self._memory
        self._energy *= self._memory
        if user_speaks:
            return
        slope = 0.5 * (block.echo[2:] - block.echo[:-2])
        self._products += float(np.dot(block.residual[1:-1], slope))
        self._energy += float(np.dot(slope, slope))
        late = -self._products / (self._energy + 1.0)
        change = _PACE_PER_S2 * late * self._block_s * self._block_s / self._block
        self.drift = float(np.clip(self.drift + change, -_GREATEST, _GREATEST))
        self._mean = self._slow * self._mean + (1 - self._slow) * self.drift

    @property
    def apart(self) -> bool:
        """Whether the devices have two crystals, as far as is known."""
        return abs(self._mean) > _APART

    @property
    def step(self) -> float:
        """By how many samples the echo comes later after a block."""
        return self.drift * self._block

    @property
    def idle_step(self) -> float:
        """The same while nothing tells it."""
        return self._mean * self._block if self.apart else 0.0
