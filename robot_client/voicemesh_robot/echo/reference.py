"""What left the speaker, for whoever looks for it in the microphone."""

from __future__ import annotations

import threading

import numpy as np

from voicemesh.audio import Samples, StreamResampler
from voicemesh_robot.echo.device_clock import SLACK_S, DeviceClock

_KEPT_S = 4.0
"""Longer than a busy machine reads behind what is played."""
# Smaller changes between the two clocks are jitter and drift, which the canceller follows.
_TOLERANCE_S = 0.03
# What has drifted apart by more than this is put right while nothing sounds.
_DRIFTED_S = 0.005


class PlayedReference:
    """The newest seconds of what was played, at the microphone's rate.

    Written on the speaker's thread, read on another. Reading goes on from sample to
    sample where the last one ended, as devices do, and jumps only when the moments
    that both devices tell differ by more than jitter does. Crystals drift apart slowly;
    that is put right in silence, and told by ``take_shift``.
    """

    def __init__(self, rate_hertz: int) -> None:
        """``rate_hertz``: that of the microphone's samples."""
        self._rate = rate_hertz
        self._lock = threading.Lock()
        self._ring: Samples = np.zeros(int(_KEPT_S * rate_hertz), np.int16)
        self._restart(rate_hertz)

    def _restart(self, device_rate_hertz: int) -> None:
        self._device_rate = device_rate_hertz
        self._resampler = StreamResampler(device_rate_hertz, self._rate)
        self._clock = DeviceClock(self._rate)
        self._end = 0
        self._sounding_end = 0
        self._next: int | None = None
        self._shift = 0
        self._ring[:] = 0

    def take_shift(self) -> int:
        """By how many samples reading has been put right since this was asked last.

        So much sooner than before comes what was played, against its echo.
        """
        with self._lock:
            shift, self._shift = self._shift, 0
        return shift

    def restart(self, device_rate_hertz: int) -> None:
        """A device has been opened."""
        with self._lock:
            self._restart(device_rate_hertz)

    def feed(self, samples: Samples, count: int, heard_s: float) -> None:
        """The device plays ``count`` samples from the moment ``heard_s`` on.

        ``samples`` are the first of them, the rest is silence.
        """
        played = samples
        if len(samples) < count:
            played = np.pad(samples, (0, count - len(samples)))
        with self._lock:
            converted = self._resampler.process(played)[-len(self._ring) :]
            places = np.arange(self._end, self._end + len(converted)) % len(self._ring)
            self._ring[places] = converted
            self._end += len(converted)
            if len(samples):
                # A resampler holds some back.
                self._sounding_end = self._end + self._rate // 10
            self._clock.feed(self._end, heard_s + count / self._device_rate)

    def read(self, count: int, moment_s: float) -> Samples:
        """``count`` samples from those on that were played at ``moment_s`` (and 20 ms later).

        Silence where nothing was played, or nothing is known of that time.
        """
        out: Samples = np.zeros(count, np.int16)
        with self._lock:
            if not self._clock.known:
                return out
            wanted = self._clock.position_at(moment_s + SLACK_S)
            begin = wanted if self._next is None else self._next
            away = wanted - begin
            is_silent = begin >= self._sounding_end
            if abs(away) > _TOLERANCE_S * self._rate:
                begin = wanted
            elif is_silent and abs(away) > _DRIFTED_S * self._rate:
                begin = wanted
                self._shift += away
            self._next = begin + count
            if begin >= self._sounding_end:
                return out
            first = max(begin, self._end - len(self._ring), 0)
            last = min(begin + count, self._end)
            if first < last:
                places = np.arange(first, last) % len(self._ring)
                out[first - begin : last - begin] = self._ring[places]
        return out
