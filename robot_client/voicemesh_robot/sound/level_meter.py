"""How loud the microphone is, and whether it is too loud."""

from __future__ import annotations

import math
from collections import deque

import numpy as np

from voicemesh.audio import Samples
from voicemesh.audio_format import FULL_SCALE

QUIETEST_DBFS = -120.0
"""What digital silence counts as: a number, where the logarithm has none."""
_CLIPPED = 32_700
"""From here on a sample counts as clipped: converters stop a little below full scale."""


class LevelMeter:
    """Level and clipping over the last second."""

    def __init__(self, rate_hertz: int) -> None:
        """``rate_hertz`` of the samples to come."""
        self._window = rate_hertz
        self._parts: deque[tuple[int, float, int]] = deque()  # Samples, energy, clipped ones.
        self._count = 0
        self._energy = 0.0
        self._clipped = 0

    def feed(self, samples: Samples) -> None:
        """Take note of the next samples, at most a second of them at once."""
        if not len(samples):
            return
        wide = samples.astype(np.float64)
        clipped = int(np.count_nonzero(np.abs(wide) >= _CLIPPED))
        part = (len(samples), float(np.dot(wide, wide)), clipped)
        self._parts.append(part)
        self._add(part, 1)
        while self._count - self._parts[0][0] >= self._window:
            self._add(self._parts.popleft(), -1)

    def _add(self, part: tuple[int, float, int], sign: int) -> None:
        count, energy, clipped = part
        self._count += sign * count
        self._energy += sign * energy
        self._clipped += sign * clipped

    @property
    def dbfs(self) -> float:
        """Root-mean-square level in dB below full scale, -120 to 0."""
        if self._count == 0 or self._energy <= 0:
            return QUIETEST_DBFS
        level = 10 * math.log10(self._energy / self._count / FULL_SCALE**2)
        return max(QUIETEST_DBFS, level)

    @property
    def clipped_share(self) -> float:
        """The share of clipped samples, 0 to 1."""
        return self._clipped / self._count if self._count else 0.0

    def reset(self) -> None:
        """Forget all: the microphone is closed."""
        self._parts.clear()
        self._count, self._energy, self._clipped = 0, 0.0, 0
