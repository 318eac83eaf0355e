"""What is to be played: filled on the event loop, emptied by a sound card's thread."""

from __future__ import annotations

import math
import threading
from collections import deque
from collections.abc import Callable

import numpy as np

from voicemesh.audio import Samples, StreamResampler

_HEARD_MARKS = 64
"""Buffers that may be on their way through the device; over a second of them."""
_NOTHING: Samples = np.zeros(0, dtype=np.int16)


class PlayQueue:
    """One reply. Counts at the reply's rate what has been taken and what has been heard.

    Pausing and stopping take effect at the next buffer; what a paused queue goes on
    with is the sample after the last that was taken, so none is lost or repeated.
    """

    def __init__(
        self,
        rate_hertz: int,
        device_rate_hertz: int,
        now: Callable[[], float],
        changed: Callable[[], None],
    ) -> None:
        """``changed`` is called (on any thread) when the queue becomes short or empty."""
        self._rate = rate_hertz
        self._device_rate = device_rate_hertz
        self._now = now
        self._changed = changed
        self._resampler = StreamResampler(rate_hertz, device_rate_hertz)
        self._lock = threading.Lock()
        self._parts: deque[Samples] = deque()
        self._waiting = 0
        self._taken = 0
        self._received = 0  # At the reply's rate.
        self._complete = False
        self._paused = False
        self._volume = 1.0
        # (when its first sample is heard, samples taken before it, its length)
        self._heard: deque[tuple[float, int, int]] = deque(maxlen=_HEARD_MARKS)

    def add(self, samples: Samples) -> None:
        """More of the reply, at its own rate; too late where it is complete or stopped."""
        if self._complete:
            return
        played = self._resampler.process(samples)
        with self._lock:
            self._received += len(samples)
            self._append(played)

    def _append(self, samples: Samples) -> None:
        if len(samples):
            self._parts.append(samples)
            self._waiting += len(samples)

    def complete(self) -> None:
        """There is no more."""
        if self._complete:
            return
        tail = self._resampler.finish()
        with self._lock:
            self._append(tail)
            self._complete = True

    def stop(self) -> int:
        """Forget what has not been taken; returns how many samples of the reply were."""
        with self._lock:
            self._parts.clear()
            self._waiting = 0
            self._complete = True
            self._paused = False
            self._received = self._in_reply(self._taken)
            return self._received

    def pause(self) -> None:
        """Give silence from the next buffer on."""
        with self._lock:
            self._paused = True

    def resume(self) -> None:
        """Go on where it paused, at the usual volume."""
        with self._lock:
            self._paused = False
            self._volume = 1.0

    def duck(self, volume: float) -> None:
        """Play from the next buffer on at ``volume``, a share of the usual one, 0 to 1."""
        with self._lock:
            self._volume = volume

    def take(self, count: int, latency_s: float) -> Samples:
        """At most ``count`` samples, heard ``latency_s`` seconds from now."""
        with self._lock:
            if self._paused or not self._waiting:
                return _NOTHING
            taken: list[Samples] = []
            left = count
            while left and self._parts:
                part = self._parts.popleft()
                if len(part) > left:
                    self._parts.appendleft(part[left:])
                    part = part[:left]
                taken.append(part)
                left -= len(part)
            out = np.concatenate(taken)
            self._heard.append((self._now() + latency_s, self._taken, len(out)))
            self._taken += len(out)
            self._waiting -= len(out)
            if self._volume != 1:
                out = (out * self._volume).astype(np.int16)
            low = self._waiting < self._device_rate // 2
        if low:
            self._changed()
        return out

    def _in_reply(self, device_samples: int) -> int:
        """Samples of the device as samples of the reply."""
        samples = round(device_samples * self._rate / self._device_rate)
        return min(self._received, samples)

    @property
    def paused(self) -> bool:
        """Whether playback is paused."""
        return self._paused

    @property
    def waiting_s(self) -> float:
        """How long what is waiting lasts, in seconds."""
        return self._waiting / self._device_rate

    @property
    def received(self) -> int:
        """Samples of the reply that have been added, at its own rate."""
        return self._received

    def played(self, at_s: float) -> int:
        """How many samples of the reply have left the speaker at ``at_s``.

        While it is paused: how many will have, when the last buffer is out.
        """
        with self._lock:
            if self._paused:
                return self._in_reply(self._taken)
            heard = 0
            for begin_s, before, length in reversed(self._heard):
                if begin_s <= at_s:
                    heard = before + min(length, int((at_s - begin_s) * self._device_rate + 1e-6))
                    break
            else:
                if self._heard:
                    heard = self._heard[0][1]
            end_s = self._end_s()
            done = end_s is not None and end_s <= at_s
            return self._received if done else self._in_reply(heard)

    def drained_at(self) -> float | None:
        """When the whole reply will have been heard; None: that is not known yet.

        Long ago (minus infinity) where there was nothing to be heard.
        """
        with self._lock:
            return self._end_s()

    def _end_s(self) -> float | None:
        if not self._complete or self._waiting:
            return None
        return self._dry_s() if self._heard else -math.inf

    def _dry_s(self) -> float:
        begin_s, _, length = self._heard[-1]
        return begin_s + length / self._device_rate

    def dry_at(self) -> float | None:
        """When all that was taken will have been heard; None: nothing was taken."""
        with self._lock:
            return self._dry_s() if self._heard else None
