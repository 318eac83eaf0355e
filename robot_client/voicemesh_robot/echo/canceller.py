"""Takes the robot's own voice out of its microphone, and tells how sure it is."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import Enum

import numpy as np

from voicemesh.audio import FULL_SCALE, Samples
from voicemesh_robot.echo.adaptive_filter import AdaptiveFilter, Prediction, Signal
from voicemesh_robot.echo.delay import DelayFinder
from voicemesh_robot.echo.evidence import NO_ECHO, Evidence
from voicemesh_robot.echo.recent import Recent
from voicemesh_robot.echo.residual_test import ResidualTest

# The filter begins so much before the delay that was found: the peak is not the onset.
_LEAD_S = 0.012
# Another delay is believed from this difference on; less the filter follows by itself.
_MOVED_S = 0.008
# How often the delay is looked for, in seconds of play-out: until it is known, and then.
_SEARCH_EVERY_S, _CHECK_EVERY_S = 0.064, 0.256
# A new filter learns from so much of the past at once.
_REHEARSED_S = 1.0
# It begins with no less of it: from less it would not even know the echo's level.
_LEAST_HEARD_S = 0.4
# A filter that has just begun leaves more over than its test knows: at first the user
# has to stand out by so much more, less with every second of play-out.
_YOUNG_DB, _YOUNG_S = 4.0, 0.5
# Sound is told from the microphone's own noise by this ratio of powers; the noise is the
# least that was heard, which may rise again by so much.
_LOUD = 10.0
_FLOOR_RISE_DB_PER_S = 3.0
_LEVEL_MEMORY_S = 1.0
# A delay is only believed when a filter that begins there explains the past, in dB: so
# much of it, and so much more than the filter in use has lately.
_EXPLAINS_DB, _BETTER_DB = 3.0, 3.0
_LATELY_S = 0.25
# How long a delay that explained nothing is not tried again, in seconds of play-out.
_DISAPPOINTED_S = 0.256
# No speaker is heard louder than this, as a gain of power: what is, is the user.
_GREATEST_GAIN = 4.0


class Stage(Enum):
    """What is known of the way from the speaker to the microphone."""

    IDLE = "idle"
    """Nothing plays: the microphone passes untouched."""
    SEARCHING = "searching"
    """A reply plays; whether and when the microphone hears it is not known yet."""
    APART = "apart"
    """The microphone does not hear the speaker, as far as is known."""
    LOCKED = "locked"
    """The delay is known and the filter learns."""


@dataclass(frozen=True)
class Cancelled:
    """A block without echo."""

    samples: Samples
    evidence: Evidence


@dataclass(frozen=True)
class EchoTimes:
    """What the canceller is made for; reasons stand at the settings."""

    longest_delay_ms: int = 500
    tail_ms: int = 200
    search_ms: int = 900
    hold_ms: int = 200
    threshold_db: float = 6.0


class EchoCanceller:
    """One microphone and one speaker at one rate, block by block. Synchronous.

    Where nothing has been played for longer than an echo can last, blocks pass
    untouched. Otherwise the echo that the filter predicts is taken out; blocks in
    which nothing but what is left of it is found are digital silence, so that no
    detector takes it for speech; the rest passes as the user's.

    Until the delay is known (a few words into the very first reply) everything
    counts as echo, but for sound that resembles nothing that was played for longer
    than ``search_ms``: somebody speaks into a headset, or louder than the echo.
    """

    def __init__(self, rate_hertz: int, block: int, times: EchoTimes) -> None:
        """``block``: samples of each block."""
        self._rate = rate_hertz
        self._block = block
        self._threshold_db = times.threshold_db
        self._hold = times.hold_ms * rate_hertz // 1000
        self._search = times.search_ms * rate_hertz // 1000
        self._floor_rise = 10 ** (_FLOOR_RISE_DB_PER_S * block / rate_hertz / 10)
        partitions = math.ceil(times.tail_ms * rate_hertz / 1000 / block)
        self._lasting = (times.longest_delay_ms + times.tail_ms) * rate_hertz // 1000
        self._partitions = partitions
        self._filter = AdaptiveFilter(block, partitions)
        self._finder = DelayFinder(rate_hertz, times.longest_delay_ms / 1000)
        self._test = ResidualTest(rate_hertz, block)
        rehearsed = int(_REHEARSED_S * rate_hertz)
        self._heard = Recent(max(rehearsed, self._finder.heard_count) + block)
        self._played = Recent(max(rehearsed + self._lasting, self._finder.played_count) + block)
        self._memory = math.exp(-block / rate_hertz / _LEVEL_MEMORY_S)
        self._short_memory = math.exp(-block / rate_hertz / _LATELY_S)
        self.reset()

    def reset(self) -> None:
        """Another device: forget the way."""
        self._delay: int | None = None
        self._age_s = 0.0
        self._unexplained = 0
        self._apart = False
        self._floor = math.inf
        self._finder.reset()
        self._test.reset()
        self._quiet()

    def _quiet(self) -> None:
        """Nothing is on its way any more."""
        self._unexplained = 0
        self._since_played = self._lasting
        self._active = 0
        self._unchecked = 0
        self._spoke = self._hold
        self._heard.clear()
        self._played.clear()
        self._filter.forget_played()
        self._power_heard = self._power_left = self._power_played = 0.0
        self._lately_heard = self._lately_left = 0.0

    @property
    def stage(self) -> Stage:
        """What is known."""
        if self._since_played >= self._lasting:
            return Stage.IDLE
        if self._delay is not None:
            return Stage.LOCKED
        return Stage.APART if self._apart else Stage.SEARCHING

    @property
    def user_speaks(self) -> bool:
        """Whether the newest block was taken for the user's, or follows one closely."""
        return self._spoke < self._hold

    def push(self, heard: Samples, played: Samples) -> Cancelled:
        """The microphone's next block, and what left the speaker meanwhile; both int16."""
        sound = heard.astype(np.float32)
        is_loud = self._is_loud(sound)
        if played.any():
            if self._since_played >= self._lasting:
                self._quiet()
            self._since_played = 0
        else:
            self._since_played += len(played)
            if self._since_played >= self._lasting:
                return Cancelled(heard, NO_ECHO)
        self._heard.push(sound)
        self._played.push(played.astype(np.float32))
        self._active += self._block
        if is_loud:
            self._unexplained += self._block
        if played.any():
            self._look_for_delay()
        self._apart = self._apart or self._unexplained >= self._search
        match self.stage:
            case Stage.LOCKED:
                assert self._delay is not None
                return self._cancel(sound, self._delay)
            case Stage.SEARCHING:
                return Cancelled(np.zeros_like(heard), Evidence(likelihood=1.0))
            case _:
                return Cancelled(heard, NO_ECHO)

    def _is_loud(self, sound: Signal) -> bool:
        """Whether a block is more than the microphone's noise."""
        power = float(np.dot(sound, sound)) + self._block
        self._floor = min(self._floor * self._floor_rise, power)
        return power > _LOUD * self._floor

    def _look_for_delay(self) -> None:
        self._unchecked += self._block
        every_s = _SEARCH_EVERY_S if self._delay is None else _CHECK_EVERY_S
        if self._unchecked < every_s * self._rate:
            return
        self._unchecked = 0
        finder = self._finder
        heard = self._heard.last(finder.heard_count)
        delay = finder.push(heard, self._played.last(finder.played_count))
        if delay is None or not self._is_new(delay):
            return
        if not self._is_learnable(delay):
            self._unexplained = 0  # It may be an echo; soon that can be tried.
        elif not self._lock(delay):
            self._unchecked = round((every_s - _DISAPPOINTED_S) * self._rate)

    def _is_learnable(self, delay: int) -> bool:
        return self._active >= delay + _LEAST_HEARD_S * self._rate

    def _is_new(self, delay: int) -> bool:
        return self._delay is None or abs(delay - self._delay) > _MOVED_S * self._rate

    def _lock(self, delay: int) -> bool:
        """Learn from the last second with this delay; whether that explains what was heard."""
        past = min(self._active - delay, int(_REHEARSED_S * self._rate))
        past = past // self._block * self._block
        heard = self._heard.last(past)
        played = self._played.last(past, self._begin(delay))
        energy = float(np.dot(played, played)) + 1.0
        learner = AdaptiveFilter(self._block, self._partitions)
        learner.reset(min(_GREATEST_GAIN, float(np.dot(heard, heard)) / energy))
        power_heard = power_left = 1.0
        # The newest block is heard once more by whoever called.
        for begin in range(0, past - self._block, self._block):
            end = begin + self._block
            left = learner.push(heard[begin:end], played[begin:end].copy()).residual
            if begin >= past // 2:
                power_heard += float(np.dot(heard[begin:end], heard[begin:end]))
                power_left += float(np.dot(left, left))
        explained_db = 10 * math.log10(power_heard / power_left)
        if explained_db < max(_EXPLAINS_DB, self._lately_db + _BETTER_DB):
            return False
        self._delay, self._filter = delay, learner
        self._age_s = 0.0
        self._test.reset()
        return True

    @property
    def _lately_db(self) -> float:
        """How much the filter in use has explained in the last moments; 0: there is none."""
        if self._delay is None or self._lately_heard <= 0:
            return 0.0
        return 10 * math.log10(self._lately_heard / max(self._lately_left, 1e-3))

    def _begin(self, delay: int) -> int:
        """Where a filter for this delay begins, in samples after the play-out."""
        return max(0, delay - int(_LEAD_S * self._rate))

    def _cancel(self, heard: Signal, delay: int) -> Cancelled:
        played = self._played.last(self._block, self._begin(delay)).copy()
        block = self._filter.push(heard, played)
        above_db = self._test.push(block, self.user_speaks)
        self._age_s += self._block / self._rate
        threshold_db = self._threshold_db + _YOUNG_DB * math.exp(-self._age_s / _YOUNG_S)
        if above_db > threshold_db:
            self._spoke = 0
        else:
            self._spoke += self._block
        self._note_levels(heard, block, played)
        if self.user_speaks:
            samples = np.clip(np.rint(block.residual), -FULL_SCALE, FULL_SCALE - 1)
            out = samples.astype(np.int16)
        else:
            out = np.zeros(self._block, np.int16)
        return Cancelled(out, self._evidence(above_db - threshold_db))

    def _note_levels(self, heard: Signal, block: Prediction, played: Signal) -> None:
        power_heard = float(np.dot(heard, heard))
        power_left = float(np.dot(block.residual, block.residual))
        self._lately_heard = self._short_memory * self._lately_heard + power_heard
        self._lately_left = self._short_memory * self._lately_left + power_left
        if self.user_speaks:
            return
        keep = self._memory
        self._power_heard = keep * self._power_heard + power_heard
        self._power_left = keep * self._power_left + power_left
        self._power_played = keep * self._power_played + float(np.dot(played, played))

    def _evidence(self, excess_db: float) -> Evidence:
        likelihood = 1 / (1 + math.exp(excess_db))
        if self.user_speaks:
            likelihood = min(likelihood, 0.5)
        loss = cancelled = None
        if self._power_played > 0 and self._power_heard > 0:
            loss = 10 * math.log10(self._power_played / self._power_heard)
            cancelled = 10 * math.log10(self._power_heard / max(self._power_left, 1e-3))
        delay_ms = None if self._delay is None else self._delay * 1000 / self._rate
        return Evidence(likelihood, delay_ms, loss, cancelled)
