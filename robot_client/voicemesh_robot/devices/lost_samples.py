"""Finds out that a sound card has lost samples, from when its blocks came."""

from __future__ import annotations

import math

WINDOW_S = 0.5
"""Longer than a busy machine delays a callback, so that late is not taken for lost."""
TOLERANCE_S = 0.06
"""Three blocks; less is the jitter of schedulers and the drift of crystals."""


class LostSampleDetector:
    """Detects samples that a device lost, by comparing those that came with the time that passed.

    Blocks that come late make the samples lag behind the clock for a moment;
    samples that are lost make them lag for ever. So the smallest lag of a window
    counts: where it grows by more than the tolerance from one window to the
    next, so much has been lost. Smaller changes are the drift between the
    machine's clock and the card's, and are followed.
    """

    def __init__(self, rate_hertz: int) -> None:
        """``rate_hertz`` of the device."""
        self._rate = rate_hertz
        self._start_s = math.nan
        self._received = 0
        self._usual_s = math.inf
        self._smallest_s = math.inf
        self._window_end_s = math.inf

    def process(self, count: int, at_s: float) -> int:
        """``count`` samples have come at ``at_s`` seconds; returns how many were lost before."""
        if math.isnan(self._start_s):
            self._start_s = at_s - count / self._rate
            self._window_end_s = at_s + WINDOW_S
        lost = self._close_window(at_s) if at_s >= self._window_end_s else 0
        self._received += count + lost
        lag_s = at_s - self._start_s - self._received / self._rate
        self._smallest_s = min(self._smallest_s, lag_s)
        return lost

    def _close_window(self, at_s: float) -> int:
        lost = 0
        grown_s = self._smallest_s - self._usual_s
        if grown_s > TOLERANCE_S:
            lost = round(grown_s * self._rate)
        elif math.isfinite(self._smallest_s):
            self._usual_s = self._smallest_s
        self._smallest_s = math.inf
        self._window_end_s = at_s + WINDOW_S
        return lost
