"""Where within a frame the sound ends.

Detectors hold on to speech for 50 ms in quiet and 130 ms in noise after its
end. Silence is counted from the last voiced sample, so that hang-over would be
waited for on every answer. The energy of 10 ms slices finds the edge: a slice of
a speech frame is voiced while it stands out of the noise floor and is not
negligible beside the speech around it.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from voicemesh.audio import Samples
from voicemesh.audio_format import FULL_SCALE

SLICE_S = 0.01
_OVER_FLOOR_DB = 4.0
_UNDER_PEAK_DB = 35.0
# The loudest slice is forgotten at this pace, so that a shout does not make the
# quiet words after it look like silence.
_PEAK_DECAY_DB_PER_S = 8.0
# Share of a silent frame's level in the floor: settles in about five frames.
_FLOOR_SHARE = 0.2
_QUIETEST_DB = -90.0


class VoicedEdge:
    """Follows the noise floor and the speech level of one speaker."""

    def __init__(self, rate_hertz: int) -> None:
        """``rate_hertz``: of the frames to come."""
        self._slice = int(rate_hertz * SLICE_S)
        self._decay_db = _PEAK_DECAY_DB_PER_S * SLICE_S
        self._floor_db: float | None = None
        self._peak_db = _QUIETEST_DB

    def _levels(self, frame: Samples) -> NDArray[np.float64]:
        """The level of each slice in dB below full scale."""
        starts = np.arange(0, len(frame), self._slice)
        counts = np.diff(np.append(starts, len(frame)))
        power = np.add.reduceat(np.square(frame.astype(np.float64)), starts) / counts
        quietest = FULL_SCALE**2 * 10 ** (_QUIETEST_DB / 10)
        levels: NDArray[np.float64] = 10 * np.log10(np.maximum(power, quietest) / FULL_SCALE**2)
        return levels

    def silence(self, frame: Samples) -> None:
        """Learn the noise floor from a frame without speech."""
        levels = self._levels(frame)
        self._peak_db = max(_QUIETEST_DB, self._peak_db - self._decay_db * len(levels))
        level = float(np.mean(levels))
        if level <= _QUIETEST_DB:
            return  # Digital silence tells nothing of the room.
        old = level if self._floor_db is None else self._floor_db
        self._floor_db = old + _FLOOR_SHARE * (level - old)

    def voiced_end(self, frame: Samples) -> int:
        """The index within a speech frame after its last voiced slice; 0: none is."""
        end = 0
        for index, level in enumerate(self._levels(frame)):
            self._peak_db = max(self._peak_db - self._decay_db, float(level))
            floor = _QUIETEST_DB if self._floor_db is None else self._floor_db
            if level >= max(floor + _OVER_FLOOR_DB, self._peak_db - _UNDER_PEAK_DB):
                end = min(len(frame), (index + 1) * self._slice)
        return end
