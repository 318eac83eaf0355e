"""Takes the robot's own voice out of its microphone, and tells how sure it is."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence

import numpy as np

from voicemesh.audio import Samples
from voicemesh.audio_format import FULL_SCALE
from voicemesh_robot.echo.adaptive_filter import AdaptiveFilter, Signal
from voicemesh_robot.echo.cancelling import Cancelled, CancellerStage, EchoTimes
from voicemesh_robot.echo.delay import DelayFinder
from voicemesh_robot.echo.drift import DriftTracker
from voicemesh_robot.echo.evidence import NO_ECHO, EchoEvidence
from voicemesh_robot.echo.levels import Levels
from voicemesh_robot.echo.path_watch import PathWatch
from voicemesh_robot.echo.recent import KERNEL, Recent
from voicemesh_robot.echo.rehearsal import rehearse
from voicemesh_robot.echo.residual_test import ResidualTest

# The filter begins so much before the delay that was found: the peak is not the onset.
_LEAD_S = 0.012
# Another delay is believed from this difference on; less the filter follows by itself.
_MOVED_S = 0.008
# How often the delay is looked for, in seconds of play-out: until it is known, and then.
_SEARCH_EVERY_S, _CHECK_EVERY_S = 0.064, 0.256
# A new filter learns from so much of the past at once.
_REHEARSED_S = 1.0
# It begins with no less of it. With 0.2 s the first words of a reply are held back for
# half as long as with 0.4, and what it does not know yet, the threshold below makes up for.
_LEAST_HEARD_S = 0.2
# Up to here it is quickly learnt, and a delay that is known is tried at every look.
_EARLY_S = 0.5
# So much is held back at most until it is known what of it is echo.
_MOST_HELD_S = 2.0
# A filter that has just begun leaves more over than its test knows: at first the user
# has to stand out by so much more, less with every second of play-out.
_YOUNG_DB, _YOUNG_S = 4.0, 1.0
# From so much below the threshold on it may be the user, if it goes on.
_MAYBE_DB = 3.0
# Sound is told from the microphone's own noise by this ratio of powers; the noise is the
# least that was heard, which may rise again by so much.
_LOUD = 10.0
_FLOOR_RISE_DB_PER_S = 3.0
# A delay is only believed when a filter that begins there explains the past, in dB: so
# much of it, and so much more than the filter in use has lately.
_EXPLAINS_DB, _BETTER_DB = 3.0, 3.0
# How long a delay that explained nothing is not tried again, in seconds of play-out.
_DISAPPOINTED_S = 0.256
# A microphone is deaf to the speaker when so much of a reply was played at more than this
# level, its echo would be there by now, and no more than so much sound was heard.
_SOUNDING_DBFS, _SOUNDING_S, _DEAF_S = -45.0, 0.2, 0.05


class EchoCanceller:
    """See Canceller. Finds the delay, learns the way, and judges what is left.

    Where nothing has been played for longer than an echo can last, blocks pass
    untouched. Otherwise the echo that the filter predicts is taken out; blocks in
    which nothing but what is left of it is found are digital silence, so that no
    detector takes it for speech; the rest passes as the user's.

    Until the delay is known (a few words into the very first reply) what is heard is
    held back, and then goes through the filter that has learnt from it: what the user
    has said meanwhile comes late, but comes. Where nothing is heard of a reply, somebody
    wears a headset, and all sound is the user's from then on; so it is after sound that
    resembles nothing that was played, for longer than ``search_ms``.
    """

    def __init__(self, rate_hertz: int, block: int, times: EchoTimes) -> None:
        """``block``: samples of each block."""
        self._rate = rate_hertz
        self._block = block
        self._threshold_db = times.threshold_db
        known_ms = times.delay_ms
        self._known_delay = None if known_ms is None else max(0.0, known_ms * rate_hertz / 1000)
        self._hold = times.hold_ms * rate_hertz // 1000
        self._search = times.search_ms * rate_hertz // 1000
        self._floor_rise = 10 ** (_FLOOR_RISE_DB_PER_S * block / rate_hertz / 10)
        partitions = math.ceil(times.tail_ms * rate_hertz / 1000 / block)
        self._latest = int(times.longest_delay_ms * rate_hertz / 1000)
        self._sounding_power = block * FULL_SCALE**2 * 10 ** (_SOUNDING_DBFS / 10)
        self._lasting = int((times.longest_delay_ms + times.tail_ms) * rate_hertz / 1000)
        self._partitions = partitions
        self._filter = AdaptiveFilter(block, partitions)
        self._finder = DelayFinder(rate_hertz, times.longest_delay_ms / 1000)
        self._test = ResidualTest(rate_hertz, block)
        self._levels = Levels(rate_hertz, block)
        self._drift = DriftTracker(rate_hertz, block)
        self._watch = PathWatch(rate_hertz, block, self._latest, partitions)
        rehearsed = int(_REHEARSED_S * rate_hertz)
        self._heard = Recent(max(rehearsed, self._finder.heard_count) + block)
        longest = rehearsed + self._lasting + 2 * KERNEL
        self._played = Recent(max(longest, self._finder.played_count) + block)
        self._most_held = int(_MOST_HELD_S * rate_hertz / block)
        self._held: deque[Samples] = deque()
        self._doubted: deque[Cancelled] = deque()
        self.reset()

    def reset(self) -> None:
        """See Canceller."""
        self._delay: float | None = None
        self._lead = 0.0
        self._age_s = 0.0
        self._unexplained = 0
        self._apart = self._suspects = False
        self._floor = math.inf
        self._finder.reset()
        self._test.reset()
        self._drift.reset()
        self._watch.forget()
        self.drop()
        self._quiet()

    def _quiet(self) -> None:
        """Nothing is on its way any more."""
        self._unexplained = 0
        self._since_played = self._lasting
        self._active = 0
        self._sounding = self._awaited = self._loud = 0
        self._unchecked = 0
        self._spoke = self._hold
        self._heard.clear()
        self._played.clear()
        self._filter.forget_played()
        self._levels.reset()

    def _begin_again(self) -> None:
        """A reply after silence."""
        self._quiet()
        if self._drift.apart:
            # A single sample by which the crystals have run apart makes most of the
            # filter wrong; until it has followed, more is left of the echo.
            self._test.reset()
            self._age_s = 0.0

    @property
    def stage(self) -> CancellerStage:
        """See Canceller."""
        if self._since_played >= self._lasting:
            return CancellerStage.IDLE
        if self._delay is not None:
            return CancellerStage.LOCKED
        return CancellerStage.APART if self._apart else CancellerStage.SEARCHING

    @property
    def user_speaks(self) -> bool:
        """Whether the newest block was taken for the user's, or follows one closely."""
        return self._spoke < self._hold

    @property
    def drift(self) -> float:
        """By how much faster the microphone's samples come than the speaker's go, as a share."""
        return self._drift.drift

    def process(self, heard: Samples, played: Samples) -> Sequence[Cancelled]:
        """See Canceller."""
        sound = heard.astype(np.float32)
        is_loud = self._is_loud(sound)
        is_idle = self._since_played >= self._lasting
        self.shift(self._drift.idle_step if is_idle else self._drift.step)
        if played.any():
            if is_idle:
                self._begin_again()
            self._since_played = 0
        else:
            self._since_played += len(played)
            if self._since_played >= self._lasting:
                return [*self._given_up(), Cancelled(heard, NO_ECHO)]
        self._heard.feed(sound)
        self._play(played.astype(np.float32))
        self._active += self._block
        if is_loud:
            self._loud += self._block
            # A delay that was found tells that there is an echo, if not of what else.
            self._unexplained += self._block // (2 if self._suspects else 1)
        late = self._look_for_delay() if played.any() else []
        self._apart = self._apart or self._unexplained >= self._search or self._is_deaf()
        match self.stage:
            case CancellerStage.LOCKED:
                return [*late, *self._judge(sound)]
            case CancellerStage.SEARCHING:
                return self._hold_back(heard, is_loud)
            case _:
                return [*self._released(len(self._held)), Cancelled(heard, NO_ECHO)]

    def _play(self, played: Signal) -> None:
        self._played.feed(played)
        if self._sounding < _SOUNDING_S * self._rate:
            if float(np.dot(played, played)) > self._sounding_power:
                self._sounding += self._block
        else:
            self._awaited += self._block

    def _is_deaf(self) -> bool:
        """Whether the reply would have been heard by now, if it could be."""
        return self._awaited >= self._latest and self._loud <= _DEAF_S * self._rate

    def drop(self) -> None:
        """See Canceller."""
        self._held.clear()
        self._doubted.clear()

    def shift(self, samples: float) -> None:
        """See Canceller."""
        if self._delay is None:
            return
        self._delay += samples
        if not -_MOVED_S * self._rate <= self._delay <= self._lasting:
            self._delay = None  # No device is like that: search.

    def _hold_back(self, heard: Samples, is_loud: bool) -> list[Cancelled]:
        self._held.append(heard)
        if not is_loud and len(self._held) == 1:
            return self._silenced(1)  # Nobody speaks.
        return self._silenced(len(self._held) - self._most_held)

    def _given_up(self) -> list[Cancelled]:
        """All that is held back, once nothing more comes of it."""
        doubted = [*self._doubted]
        self._doubted.clear()
        return [*doubted, *self._silenced(len(self._held))]

    def _silenced(self, count: int) -> list[Cancelled]:
        """The oldest blocks that are held, taken for echo."""
        taken = [self._held.popleft() for _ in range(count)]
        echo = EchoEvidence(likelihood=1.0)
        return [Cancelled(np.zeros_like(block), echo, is_user=False) for block in taken]

    def _released(self, count: int) -> list[Cancelled]:
        """The oldest blocks that are held, as they were heard."""
        return [Cancelled(self._held.popleft(), NO_ECHO) for _ in range(count)]

    def _is_loud(self, sound: Signal) -> bool:
        """Whether a block is more than the microphone's noise."""
        power = float(np.dot(sound, sound)) + self._block
        self._floor = min(self._floor * self._floor_rise, power)
        return power > _LOUD * self._floor

    def _look_for_delay(self) -> list[Cancelled]:
        """What has been held back, once the delay is known."""
        self._unchecked += self._block
        every_s = _SEARCH_EVERY_S if self._delay is None else _CHECK_EVERY_S
        if self._unchecked < every_s * self._rate:
            return []
        self._unchecked = 0
        finder = self._finder
        heard = self._heard.last(finder.heard_count)
        found = finder.process(heard, self._played.last(finder.played_count))
        self._suspects = found is not None
        delay = self._known_delay if found is None and self._delay is None else found
        if delay is None or not self._is_new(delay):
            return []
        if not self._is_learnable(delay):
            if found is not None:
                self._unexplained = 0  # It may be an echo; soon that can be tried.
            return []
        late = self._lock(delay)
        if late is None and (found is not None or not self._is_early(delay)):
            self._unchecked = round((every_s - _DISAPPOINTED_S) * self._rate)
        return late or []

    def _is_learnable(self, delay: float) -> bool:
        return self._active >= delay + _LEAST_HEARD_S * self._rate

    def _is_early(self, delay: float) -> bool:
        """Whether there is so little to learn from that it can be tried again and again."""
        return self._active <= delay + _EARLY_S * self._rate

    def _is_new(self, delay: float) -> bool:
        return self._delay is None or abs(delay - self._delay) > _MOVED_S * self._rate

    def _lock(self, delay: float, longest_s: float = _REHEARSED_S) -> list[Cancelled] | None:
        """Learn with this delay; what was held back, or None if it explains nothing."""
        block = self._block
        # The newest block is still to be heard by whoever called.
        count = int(min(self._active - delay, longest_s * self._rate)) // block - 1
        heard = self._heard.last(count * block, block)
        begin = max(0.0, delay - _LEAD_S * self._rate)
        played = self._played.between(count * block, begin + block)
        found = rehearse(heard, played, block, self._partitions, self._test)
        lately_db = 0.0 if self._delay is None else self._levels.lately_db
        if found.explained_db < max(_EXPLAINS_DB, lately_db + _BETTER_DB):
            return None
        self._lead = delay - begin
        self._delay, self._filter = delay, found.learner
        self._watch.keep(self._filter)
        self._drift.forget_past()
        self._test.reset()
        self._levels.reset()
        # What came before the first echo could is no echo; the rest goes through the filter.
        before = max(0, len(self._held) - count)
        is_early = self._active - (count + 1) * block <= delay + 2 * block
        late = self._released(before) if is_early else self._silenced(before)
        kept = len(self._held)
        self._held.clear()
        for number in range(count):
            part = slice(number * block, (number + 1) * block)
            cleaned = self._cancel(heard[part], played[part].copy())
            if number >= count - kept:
                late.append(cleaned)
        self._age_s = 0.0
        return late

    def _played_for(self, count: int, before: int = 0) -> Signal:
        """What was played for ``count`` samples of the microphone, ``before`` before the newest."""
        return self._played.between(count, self._begin + before)

    @property
    def _begin(self) -> float:
        """Where the filter begins, in samples after the play-out."""
        assert self._delay is not None
        return max(0.0, self._delay - self._lead)

    def _judge(self, heard: Signal) -> list[Cancelled]:
        """The newest block, unless it is doubtful whose it is; then it comes with a later one."""
        one = self._cancel(heard, self._played_for(self._block))
        self._doubted.append(one)
        window = self._watch.process(bool(one.samples.any()), self._filter)
        if window:
            played = self._played.last(self._watch.played_count(window))
            shift = self._watch.look(self._heard.last(window), played, self._begin)
            if shift is not None:
                self._move(shift)
            elif self._watch.may_be_new:
                # Perhaps another way of the same length: then a new filter explains more.
                assert self._delay is not None
                self._lock(self._delay, self._watch.suspicious * self._block / self._rate)
        if self._watch.doubtful:
            return []
        known = [*self._doubted]
        self._doubted.clear()
        return known

    def _move(self, shift: float) -> None:
        """The echo comes so much later than until now; what is in doubt is judged anew."""
        assert self._delay is not None
        self._delay += shift
        self._filter = self._watch.way
        self._watch.keep(self._filter)
        count = len(self._doubted)
        history = (self._partitions + 1) * self._block
        self._filter.recall(self._played_for(history, count * self._block))
        self._drift.forget_past()
        self._test.forget_past()
        self._finder.reset()
        self._levels.reset()
        self._spoke, self._age_s = self._hold, 0.0
        self._doubted.clear()
        heard = self._heard.last(count * self._block)
        played = self._played_for(count * self._block)
        for at in range(0, len(heard), self._block):
            part = slice(at, at + self._block)
            self._doubted.append(self._cancel(heard[part], played[part].copy()))

    def _cancel(self, heard: Signal, played: Signal) -> Cancelled:
        block = self._filter.process(heard, played)
        above_db = self._test.process(block, self.user_speaks)
        self._age_s += self._block / self._rate
        threshold_db = self._threshold_db + _YOUNG_DB * math.exp(-self._age_s / _YOUNG_S)
        # What stands out then is the prediction, and nobody's voice.
        is_missing = self._watch.note_energies(_energy(heard), _energy(block.residual))
        if above_db > threshold_db and not is_missing:
            self._spoke = 0
        else:
            self._spoke += self._block
        self._levels.feed(heard, block.residual, played, self.user_speaks)
        self._drift.feed(block, self.user_speaks)
        residual = np.clip(np.rint(block.residual), -FULL_SCALE, FULL_SCALE - 1).astype(np.int16)
        stands_out = above_db > threshold_db - _MAYBE_DB and not is_missing
        may_be_user = self.user_speaks or stands_out
        out = residual if may_be_user else np.zeros_like(residual)
        evidence = self._evidence(above_db - threshold_db)
        return Cancelled(out, evidence, self.user_speaks, residual)

    def _evidence(self, excess_db: float) -> EchoEvidence:
        likelihood = 1 / (1 + math.exp(excess_db))
        if self.user_speaks:
            likelihood = min(likelihood, 0.5)
        assert self._delay is not None
        delay_ms = self._delay * 1000 / self._rate
        return EchoEvidence(
            likelihood, delay_ms, self._levels.return_loss_db, self._levels.cancelled_db
        )


def _energy(signal: Signal) -> float:
    return float(np.dot(signal, signal))
