"""When a device's samples were played or recorded, on the computer's clock."""

from __future__ import annotations

from collections import deque

SLACK_S = 0.02
"""What is read lies so much later than what was played at that moment, so that jitter
never makes an echo come before its cause."""
# The lateness of callbacks is told from the lateness of sound by the smallest of a while.
_WINDOW_S = 1.0


class DeviceClock:
    """Maps the samples of a device to moments, given late news of both.

    Whoever tells that samples have come is late, sometimes very, but never early: so
    the smallest lag of the last second counts. Samples that are lost make all later
    ones lag, which moves the map once the second is over.
    """

    def __init__(self, rate_hertz: int) -> None:
        """``rate_hertz`` of the device's samples."""
        self._rate = rate_hertz
        self._lags: deque[tuple[float, float]] = deque()  # Moment and lag; lags rise.

    def feed(self, position: int, at_s: float) -> None:
        """The sample before ``position`` ended at ``at_s`` seconds or sooner."""
        lag = at_s - position / self._rate
        while self._lags and self._lags[-1][1] >= lag:
            self._lags.pop()
        self._lags.append((at_s, lag))
        while self._lags[0][0] < at_s - _WINDOW_S:
            self._lags.popleft()

    @property
    def known(self) -> bool:
        """Whether anything has come."""
        return bool(self._lags)

    def moment_of(self, position: int) -> float:
        """When the sample is played or recorded, in seconds."""
        return self._lags[0][1] + position / self._rate

    def position_at(self, moment_s: float) -> int:
        """The sample of a moment."""
        return round((moment_s - self._lags[0][1]) * self._rate)
