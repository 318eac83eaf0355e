"""Whether what the filter leaves over is the user, or echo that it does not know."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from voicemesh_robot.echo.adaptive_filter import Prediction

Power = NDArray[np.float32]

# Speech stands out between these, in hertz; bands are about equally wide to the ear.
_BAND_EDGES_HERTZ = (200, 350, 500, 700, 900, 1150, 1450, 1800, 2250, 2800, 3500, 4400, 5500, 7000)
# A room's reflections that are longer than the filter, and a device that smears.
_REVERBERATION_DB_PER_S = 120.0
# What is left of the echo at first, and the least that is ever believed, as a share of
# the predicted echo in dB.
_FIRST_LEFT_DB, _LEAST_LEFT_DB, _MOST_LEFT_DB = -3.0, -30.0, 6.0
# The share that is left is followed as a quantile: up this fast, down that fast.
_UP_DB_PER_S, _DOWN_DB_PER_S = 12.0, 8.0
# While the user seems to speak it is hardly followed.
_SLOWED = 0.1
_NOISE_UP_DB_PER_S = 3.0
# What is left varies by so much; beyond that, a band counts up to the cap.
_MARGIN_DB, _CAP_DB = 3.0, 20.0
_SMOOTHING_S = 0.03


class ResidualTest:
    """Compares the residual, band by band, with what is usually left of the echo.

    Speech begins in few bands. So a band that stands out counts for it, and one
    that does not counts for nothing: it is no evidence against.
    """

    def __init__(self, rate_hertz: int, block: int) -> None:
        """For blocks of ``block`` samples."""
        self._block_s = block / rate_hertz
        hertz = np.arange(block + 1) * rate_hertz / (2 * block)
        edges = np.array(_BAND_EDGES_HERTZ)
        inside = (hertz[:, None] >= edges[:-1]) & (hertz[:, None] < edges[1:])
        self._bands: Power = (inside / inside.sum(axis=0)).astype(np.float32)
        self._decay = np.float32(10 ** (-_REVERBERATION_DB_PER_S * self._block_s / 10))
        self._rise = np.float32(10 ** (_NOISE_UP_DB_PER_S * self._block_s / 10))
        self._memory = float(np.exp(-self._block_s / _SMOOTHING_S))
        count = len(edges) - 1
        self._echo: Power = np.zeros(count, np.float32)
        self._left_db: Power = np.full(count, _FIRST_LEFT_DB, np.float32)
        self._noise: Power = np.full(count, 1e9, np.float32)
        self.above_db = 0.0
        """How far the residual stands above what is left of the echo, by more than that
        varies: the mean over the bands, smoothed."""

    def reset(self) -> None:
        """Another way, or none: what is left of its echo is not known."""
        self._echo[:] = 0
        self._left_db[:] = _FIRST_LEFT_DB
        self.above_db = 0.0

    def forget_past(self) -> None:
        """The same way at another delay: what stood out until now did so for that."""
        self._echo[:] = 0
        self.above_db = 0.0

    def note_noise(self, residual_power: Power) -> Power:
        """What is quietest in each band is noise; the residual's powers by bands."""
        residual = residual_power @ self._bands + np.float32(1.0)
        self._noise = np.minimum(self._noise * self._rise, residual)
        return residual

    def process(self, block: Prediction, user_speaks: bool) -> float:
        """The next block; ``above_db`` after it. ``user_speaks``: as judged so far."""
        residual = self.note_noise(block.residual_power)
        self._echo = np.maximum(block.echo_power @ self._bands, self._echo * self._decay)
        left = self._echo * 10 ** (self._left_db / 10)
        above = 10 * np.log10(residual / (left + 4 * self._noise))
        now_db = float(np.clip(above - _MARGIN_DB, 0, _CAP_DB).mean())
        self.above_db = self._memory * self.above_db + (1 - self._memory) * now_db
        self._follow(residual, user_speaks)
        return self.above_db

    def _follow(self, residual: Power, user_speaks: bool) -> None:
        telling = self._echo > 10 * self._noise
        share_db = 10 * np.log10(residual / (self._echo + 1))
        pace = self._block_s * (_SLOWED if user_speaks else 1.0)
        change = np.where(share_db > self._left_db, _UP_DB_PER_S * pace, -_DOWN_DB_PER_S * pace)
        followed = np.clip(self._left_db + change, _LEAST_LEFT_DB, _MOST_LEFT_DB)
        self._left_db = np.where(telling, followed, self._left_db).astype(np.float32)
