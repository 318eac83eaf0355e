"""What of a reply has been played at a time, given when its audio arrived."""

from __future__ import annotations

import math


class PlaybackClock:
    """Computes how much of a reply has been played, at the reply's rate.

    Playback begins with the first audio. Where the audio runs out before the
    reply is complete, playback stands still (an underrun) until more arrives;
    while it is paused it stands still too. All times are seconds of one clock;
    calls must be made in the order of time. There is no clock inside, so that
    any reply can be replayed in a test.
    """

    def __init__(self, rate_hertz: int) -> None:
        """``rate_hertz``: the rate of the reply."""
        self._rate = rate_hertz
        self._at_s = 0.0
        self._position = 0.0  # Samples played at _at_s; fractional between samples.
        self._begun = False
        self._paused = False
        self._complete = False
        self.received = 0
        """Samples that have arrived."""
        self.underrun_s = 0.0
        """How long playback stood still because nothing had arrived, in seconds."""
        self.paused_s = 0.0
        """How long playback stood still because it was paused, in seconds."""

    def arrived(self, at_s: float, sample_count: int) -> None:
        """So many samples more have arrived."""
        self._advance(at_s)
        self.received += sample_count
        self._begun = self._begun or self.received > 0

    def complete(self, at_s: float) -> None:
        """The reply has no more samples than those that have arrived."""
        self._advance(at_s)
        self._complete = True

    def pause(self, at_s: float) -> None:
        """Playback stands still until it is resumed."""
        self._advance(at_s)
        self._paused = True

    def resume(self, at_s: float) -> None:
        """Playback goes on at the sample where it paused."""
        self._advance(at_s)
        self._paused = False

    def _advance(self, at_s: float) -> None:
        elapsed = max(0.0, at_s - self._at_s)
        self._at_s = max(self._at_s, at_s)
        if not self._begun:
            return
        if self._paused:
            self.paused_s += elapsed
            return
        left_s = (self.received - self._position) / self._rate
        if elapsed < left_s:
            self._position += elapsed * self._rate
            return
        self._position = float(self.received)
        if not self._complete:
            self.underrun_s += elapsed - left_s

    @property
    def is_paused(self) -> bool:
        """Whether playback is paused."""
        return self._paused

    def played(self, at_s: float) -> int:
        """How many samples have left the speaker at ``at_s``."""
        self._advance(at_s)
        # A hair is added because 0.1 s of 16 kHz must not count as 1599 samples.
        return min(self.received, math.floor(self._position + 1e-6))

    def drained(self, at_s: float) -> bool:
        """Whether the whole reply has been played at ``at_s``."""
        return self._complete and self.played(at_s) == self.received

    def runs_dry_at(self, at_s: float) -> float:
        """When everything received so far will have been played; inf while paused."""
        self._advance(at_s)
        if self._paused:
            return math.inf
        return at_s + (self.received - self._position) / self._rate


class StorageClock(PlaybackClock):
    """A reply that is stored instead of being heard: it is played as it arrives."""

    def _advance(self, at_s: float) -> None:
        self._at_s = max(self._at_s, at_s)
        if not self._paused:
            self._position = float(self.received)
