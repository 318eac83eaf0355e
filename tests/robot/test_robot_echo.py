"""A robot does not hear itself, and still hears whoever speaks over it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from voicemesh.audio import Samples
from voicemesh_evaluation.turns.acoustics import Room, active_level
from voicemesh_robot.echo.adaptive_filter import AdaptiveFilter
from voicemesh_robot.echo.canceller import EchoCanceller
from voicemesh_robot.echo.cancelling import CancellerStage, EchoTimes
from voicemesh_robot.echo.choice import canceller_maker
from voicemesh_robot.echo.delay import DelayFinder
from voicemesh_robot.echo.device_clock import DeviceClock
from voicemesh_robot.echo.evidence import NO_ECHO, EchoEvidence, echo_message
from voicemesh_robot.echo.guard import EchoGuard
from voicemesh_robot.echo.reference import PlayedReference
from voicemesh_robot.echo.settings import EchoSettings

RATE = 16_000
BLOCK = 256
Speech = Callable[..., Samples]
REPLY = (
    "mars is the fourth planet from the sun. it is cold and red, and it has two small moons. "
    "nobody has been there yet"
)


def noise(seconds: float, level: float = 3_000, seed: int = 1) -> Samples:
    """White noise."""
    samples = np.random.default_rng(seed).standard_normal(int(seconds * RATE)) * level
    return np.clip(samples, -32_768, 32_767).astype(np.int16)


def padded(samples: Samples, before_s: float = 0.2, after_s: float = 0.8) -> Samples:
    """With silence around it."""
    return np.pad(samples, (int(before_s * RATE), int(after_s * RATE)))


def heard_of(played: Samples, room: Room, level: float = 1_000.0, floor: float = 5.0) -> Samples:
    """The room's echo at this level, and a little noise."""
    echo = room.echo(played, RATE)
    echo *= level / active_level(echo, RATE)
    echo += np.random.default_rng(3).standard_normal(len(echo)) * floor
    return np.asarray(np.clip(np.rint(echo), -32_768, 32_767), dtype=np.int16)


def cancelled(canceller: EchoCanceller, heard: Samples, played: Samples) -> Samples:
    """What is taken for somebody's, block by block; the rest is silence."""
    out = [
        one.samples if one.is_user else np.zeros_like(one.samples)
        for at in range(0, len(heard) - BLOCK + 1, BLOCK)
        for one in canceller.process(heard[at : at + BLOCK], played[at : at + BLOCK])
    ]
    return np.concatenate(out)


def power(samples: Samples) -> float:
    """The mean square."""
    return float(np.mean(samples.astype(np.float64) ** 2)) + 1e-9


def new_canceller(times: EchoTimes | None = None) -> EchoCanceller:
    return EchoCanceller(RATE, BLOCK, times or EchoTimes())


# The adaptive filter.


def filtered(learner: AdaptiveFilter, heard: Samples, played: Samples) -> Samples:
    """The filter's residual."""
    wide_heard, wide_played = heard.astype(np.float32), played.astype(np.float32)
    out = [
        learner.process(wide_heard[at : at + BLOCK], wide_played[at : at + BLOCK]).residual
        for at in range(0, len(heard) - BLOCK + 1, BLOCK)
    ]
    return np.concatenate(out)


def new_filter() -> AdaptiveFilter:
    learner = AdaptiveFilter(BLOCK, 12)
    learner.reset(0.1)
    return learner


def test_filter_learns_the_way_and_explains_the_echo() -> None:
    played = noise(3)
    room = Room(delay_ms=8, decay_ms=150, distortion=0)
    heard = heard_of(played, room)
    left = filtered(new_filter(), heard, played)
    assert power(left[-RATE:]) < power(heard[-RATE:]) / 100


def test_double_talk_does_not_make_the_filter_forget(flite_speech: Speech) -> None:
    played = noise(6)
    heard = heard_of(played, Room(delay_ms=8, decay_ms=150, distortion=0))
    user = flite_speech("how does a battery work and what is a robot").astype(np.int32)
    begin = 2 * RATE
    over = heard.astype(np.int32)
    over[begin : begin + len(user)] += user
    end = begin + len(user)
    learner = new_filter()
    left = filtered(learner, np.clip(over, -32_768, 32_767).astype(np.int16), played)
    after = slice(end // BLOCK * BLOCK + BLOCK, end + RATE // 4)
    assert power(left[after]) < power(heard[after]) / 20


def test_filter_predicts_nothing_before_it_has_learnt() -> None:
    learner = new_filter()
    heard = noise(BLOCK / RATE).astype(np.float32)
    assert (learner.process(heard, noise(BLOCK / RATE, seed=2).astype(np.float32)).echo == 0).all()


# The delay.


@settings(max_examples=12, deadline=None)
@given(
    delay_ms=st.integers(0, 480),
    decay_ms=st.integers(80, 400),
    seed=st.integers(0, 1_000),
)
def test_delay_is_found(delay_ms: int, decay_ms: int, seed: int) -> None:
    played = noise(1.5, seed=seed)
    heard = heard_of(played, Room(delay_ms, decay_ms, seed=seed)).astype(np.float32)
    finder = DelayFinder(RATE, 0.5)
    before = np.zeros(finder.played_count, np.float32)
    known = np.concatenate([before, played.astype(np.float32)])
    found = None
    for end in range(finder.heard_count, len(heard), 1_024):
        newest = known[end : end + finder.played_count]
        found = finder.process(heard[end - finder.heard_count : end], newest)
    assert found is not None
    # The speaker's own band-pass takes 4 ms.
    assert abs(found / 16 - delay_ms - 4) <= 2


def test_no_delay_is_found_where_the_microphone_hears_something_else(flite_speech: Speech) -> None:
    played = noise(3).astype(np.float32)
    heard = flite_speech("how does a battery work and what is a robot").astype(np.float32)
    finder = DelayFinder(RATE, 0.5)
    for end in range(finder.played_count, min(len(heard), len(played)), 1_024):
        newest = played[end - finder.played_count : end]
        assert finder.process(heard[end - finder.heard_count : end], newest) is None


# The canceller.


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000), level=st.floats(0, 30_000))
def test_microphone_passes_sample_exact_while_nothing_plays(seed: int, level: float) -> None:
    heard = noise(0.5, level, seed)[: 31 * BLOCK]
    canceller = new_canceller()
    assert (cancelled(canceller, heard, np.zeros_like(heard)) == heard).all()
    assert canceller.stage is CancellerStage.IDLE


@pytest.mark.parametrize("delay_ms", [0, 60, 150, 400])
def test_reply_alone_becomes_silence_from_the_first_word_on(
    flite_speech: Speech, delay_ms: int
) -> None:
    played = padded(flite_speech(REPLY, "slt"))
    heard = heard_of(played, Room(delay_ms, 250, seed=4))
    canceller = new_canceller()
    left = cancelled(canceller, heard[: -RATE // 2], played[: -RATE // 2])
    assert canceller.stage is CancellerStage.LOCKED
    # Nothing of it lasts long enough to be taken for speech.
    assert np.count_nonzero(left[int(0.2 * RATE) :]) < 0.03 * len(left)


def test_user_who_speaks_over_the_reply_is_heard_without_it(flite_speech: Speech) -> None:
    played = padded(flite_speech(REPLY, "slt"))
    user = flite_speech("how does a battery work", "rms").astype(np.float64)
    echo = heard_of(played, Room(120, 250, seed=5), level=active_level(user, RATE))
    begin = int(2.5 * RATE)
    heard = echo.astype(np.float64)
    heard[begin : begin + len(user)] += user
    canceller = new_canceller()
    left = cancelled(canceller, np.clip(heard, -32_768, 32_767).astype(np.int16), played)
    ours = left[begin : begin + len(user)].astype(np.float64)
    assert np.corrcoef(ours, user)[0, 1] > 0.85
    assert np.count_nonzero(left[RATE // 4 : begin]) < 0.05 * begin


@pytest.mark.parametrize("after_s", [0.1, 0.3])
def test_nothing_said_into_the_first_words_is_lost(flite_speech: Speech, after_s: float) -> None:
    played = padded(flite_speech(REPLY, "slt"))
    user = flite_speech("how does a battery work", "rms").astype(np.float64)
    echo = heard_of(played, Room(100, 250, seed=5), level=active_level(user, RATE) / 2)
    begin = int((0.2 + after_s) * RATE)
    heard = echo.astype(np.float64)
    heard[begin : begin + len(user)] += user
    left = cancelled(new_canceller(), np.clip(heard, -32_768, 32_767).astype(np.int16), played)
    ours = left[begin : begin + len(user)].astype(np.float64)
    assert np.corrcoef(ours, user)[0, 1] > 0.8


def test_delay_that_is_known_is_not_searched_for(flite_speech: Speech) -> None:
    played = padded(flite_speech(REPLY, "slt"), before_s=0)
    heard = heard_of(played, Room(150, 200))

    def until_locked(times: EchoTimes) -> int:
        canceller = new_canceller(times)
        for at in range(0, len(heard), BLOCK):
            canceller.process(heard[at : at + BLOCK], played[at : at + BLOCK])
            if canceller.stage is CancellerStage.LOCKED:
                return at
        return len(heard)

    assert until_locked(EchoTimes(delay_ms=154)) < until_locked(EchoTimes())
    # A wrong one is no use and no harm.
    assert until_locked(EchoTimes(delay_ms=20)) < RATE


def test_blocks_held_back_come_in_order_and_none_is_left(flite_speech: Speech) -> None:
    played = padded(flite_speech(REPLY, "slt"), after_s=0)
    heard = heard_of(played, Room(150, 200))
    canceller = new_canceller()
    waiting, longest = 0, 0
    for at in range(0, len(heard) - BLOCK + 1, BLOCK):
        waiting += 1 - len(canceller.process(heard[at : at + BLOCK], played[at : at + BLOCK]))
        longest = max(longest, waiting)
    assert waiting == 0
    assert 0 < longest * BLOCK < 1.3 * RATE


def test_user_after_the_reply_passes_untouched(flite_speech: Speech) -> None:
    played = padded(flite_speech("yes", "slt"), after_s=0.9)
    heard = heard_of(played, Room(60, 200))
    canceller = new_canceller()
    cancelled(canceller, heard, played)
    user = flite_speech("tell me about mars")
    user = user[: len(user) // BLOCK * BLOCK]
    assert (cancelled(canceller, user, np.zeros_like(user)) == user).all()


def test_headset_is_noticed_by_what_it_does_not_hear(flite_speech: Speech) -> None:
    played = padded(flite_speech(REPLY, "slt"))
    user = flite_speech("wait a moment please", "rms")
    heard = np.zeros_like(played)
    begin = 5 * RATE // 4
    heard[begin : begin + len(user)] = user
    left = cancelled(new_canceller(), heard, played)
    assert (left[begin:] == heard[begin : len(left)]).all()


def test_who_wears_a_headset_is_heard_right_after_a_short_reply(flite_speech: Speech) -> None:
    reply = flite_speech("yes i can hear you", "slt")
    played = padded(reply, 0, after_s=2.5)
    user = flite_speech("say that again", "rms")
    begin = len(reply) + RATE // 4
    noisy = np.random.default_rng(7).standard_normal(len(played)) * 8
    noisy[begin : begin + len(user)] += user
    heard = noisy.astype(np.int16)
    left = cancelled(new_canceller(), heard, played)
    assert (left[begin:] == heard[begin : len(left)]).all()


def test_headset_is_noticed_by_sound_that_is_no_echo(flite_speech: Speech) -> None:
    played = padded(flite_speech(REPLY, "slt"))
    user = flite_speech("wait a moment please. i want to know how a battery works", "rms")
    heard = np.zeros_like(played)
    begin = RATE // 2
    heard[begin : begin + len(user)] = user
    left = cancelled(new_canceller(), heard, played)
    late = slice(begin + int(1.6 * RATE), begin + len(user))
    assert (left[late] == heard[: len(left)][late]).all()


def test_another_delay_is_found_without_being_told(flite_speech: Speech) -> None:
    played = padded(flite_speech(REPLY, "slt"))
    canceller = new_canceller()
    cancelled(canceller, heard_of(played, Room(50, 200)), played)
    left = cancelled(canceller, heard_of(played, Room(250, 200, seed=6)), played)
    last = canceller.process(noise(BLOCK / RATE), noise(BLOCK / RATE, seed=2))[-1].evidence
    assert last.delay_ms == pytest.approx(254, abs=3)
    assert np.count_nonzero(left[-3 * RATE :]) < 0.1 * 3 * RATE


def test_reset_forgets_the_way(flite_speech: Speech) -> None:
    played = padded(flite_speech(REPLY, "slt"))
    canceller = new_canceller()
    cancelled(canceller, heard_of(played, Room(50, 200)), played)
    canceller.reset()
    (first,) = canceller.process(noise(BLOCK / RATE, 5), noise(BLOCK / RATE, seed=2))
    assert canceller.stage is CancellerStage.SEARCHING
    assert first.evidence == EchoEvidence(likelihood=1.0)
    assert not first.samples.any()
    assert not first.is_user


@pytest.mark.parametrize("ppm", [-100, 100])
def test_drifting_clocks_are_followed(flite_speech: Speech, ppm: float) -> None:
    one = padded(flite_speech(REPLY, "slt"), after_s=0.3)
    played = np.concatenate([one] * 4)
    heard = heard_of(played, Room(150, 200, drift_ppm=ppm))
    canceller = new_canceller()
    left = cancelled(canceller, heard, played)
    assert np.count_nonzero(left) < 0.02 * len(left)
    assert canceller.drift * 1e6 == pytest.approx(ppm, abs=15)


def test_drift_goes_on_while_nothing_plays(flite_speech: Speech) -> None:
    one = padded(flite_speech(REPLY, "slt"))
    pause = np.zeros(20 * RATE, np.int16)
    played = np.concatenate([one, one, pause, one])
    heard = heard_of(played, Room(150, 200, drift_ppm=100))
    left = cancelled(new_canceller(), heard, played)
    again = 2 * len(one) + len(pause)
    assert np.count_nonzero(left[again:]) < 0.05 * len(one)


def test_evidence_tells_delay_and_losses(flite_speech: Speech) -> None:
    played = padded(flite_speech(REPLY, "slt"), after_s=0)
    heard = heard_of(played, Room(100, 200), level=active_level(played, RATE) / 10)
    canceller = new_canceller()
    cancelled(canceller, heard, played)
    evidence = canceller.process(heard[-BLOCK:], played[-BLOCK:])[-1].evidence
    assert evidence.delay_ms == pytest.approx(104, abs=2)
    assert evidence.return_loss_db == pytest.approx(20, abs=2.5)
    assert evidence.cancelled_db is not None
    assert evidence.cancelled_db > 10
    message = echo_message(evidence)
    assert message is not None
    assert message.delay_ms == pytest.approx(evidence.delay_ms)


def test_nothing_is_told_where_nothing_is_known() -> None:
    assert echo_message(NO_ECHO) is None
    message = echo_message(EchoEvidence(likelihood=1.0))
    assert message is not None
    assert not message.HasField("delay_ms")


# What was played, and when.


@settings(max_examples=25, deadline=None)
@given(st.lists(st.floats(0, 0.1), min_size=60, max_size=120))
def test_late_news_does_not_move_the_clock(lateness: list[float]) -> None:
    clock = DeviceClock(RATE)
    for number, late_s in enumerate([0.0, *lateness]):
        end = (number + 1) * 320
        clock.feed(end, 5.0 + end / RATE + (late_s if number % 10 else 0.0))
    assert clock.moment_of(16_000) == pytest.approx(6.0, abs=1e-6)
    assert clock.position_at(6.0) == 16_000


def test_reference_reads_on_where_it_ended_despite_jitter() -> None:
    reference = PlayedReference(RATE)
    played = noise(2)
    read: list[Samples] = []
    for number in range(len(played) // 320):
        at = number * 320
        reference.feed(played[at : at + 320], 320, 10.0 + at / RATE + 0.1)
        jitter_s = 0.008 * (number % 3 - 1)
        read.append(reference.read(320, 10.0 + at / RATE + jitter_s))
    joined = np.concatenate(read)
    begin = int(np.flatnonzero(joined)[0])
    offset = int(np.flatnonzero(played == joined[begin])[0]) - begin
    assert (joined[begin:] == played[begin + offset : len(joined) + offset]).all()


def test_reference_is_silent_where_nothing_was_played() -> None:
    reference = PlayedReference(RATE)
    assert not reference.read(320, 1.0).any()
    reference.feed(noise(0.02), 320, 1.0)
    assert not reference.read(320, 9.0).any()
    assert not reference.read(320, -9.0).any()


@pytest.mark.parametrize(("sounds", "shift"), [(False, -80), (True, 0)])
def test_crystals_that_drift_apart_are_put_right_while_nothing_sounds(
    sounds: bool, shift: int
) -> None:
    reference = PlayedReference(RATE)
    block = noise(0.02) if sounds else np.zeros(0, np.int16)
    shifted = 0
    for number in range(3_000):
        moment_s = 0.02 * number
        reference.feed(block, 320, 10.0 + moment_s * 1.0001)
        reference.read(320, 10.0 + moment_s)
        shifted += reference.take_shift()
    assert shifted == pytest.approx(shift, abs=3)


class Bench:
    """A robot's sound card whose microphone hears its speaker, in steps of 20 ms."""

    def __init__(self, room: Room, played: Samples, rate_hertz: int = RATE) -> None:
        self.time_s = 100.0
        self.guard = EchoGuard(RATE, canceller_maker("builtin", RATE, EchoTimes()), self)
        self.guard.reference.restart(rate_hertz)
        self._played = played
        self._heard = heard_of(played, room)

    def now(self) -> float:
        return self.time_s

    async def sleep_until(self, moment_s: float) -> None:
        self.time_s = moment_s

    def run(self) -> Samples:
        """What the robot makes of it; its speaker holds 40 ms, its microphone 20."""
        out: list[Samples] = []
        for first in range(0, len(self._played) - 319, 320):
            self.guard.reference.feed(self._played[first : first + 320], 320, self.time_s + 0.04)
            self.time_s += 0.02
            self.guard.arrived(first + 320)
            for one in self.guard.clean(self._heard[first : first + 320], first):
                out.append(one.samples if one.is_user else np.zeros_like(one.samples))
        return np.concatenate(out)


def test_speaker_and_microphone_find_each_other_over_their_clocks(flite_speech: Speech) -> None:
    played = padded(flite_speech(REPLY, "slt"), after_s=0)
    bench = Bench(Room(100, 200), played)
    left = bench.run()
    assert np.count_nonzero(left[RATE // 4 :]) < 0.05 * len(left)
    # The speaker says that it plays 40 ms later than this room's does.
    assert bench.guard.evidence.delay_ms == pytest.approx(104 - 40, abs=3)
    bench.guard.reset()
    bench.guard.arrived(len(played))
    bench.guard.clean(noise(0.02), len(played) - 320)
    assert bench.guard.evidence.delay_ms is None


def test_shift_of_what_was_played_is_no_other_way(flite_speech: Speech) -> None:
    played = padded(flite_speech(REPLY, "slt"))
    heard = heard_of(played, Room(150, 200))
    canceller = new_canceller()
    cancelled(canceller, heard, played)
    canceller.shift(160)
    left = cancelled(canceller, heard, np.concatenate([played[160:], np.zeros(160, np.int16)]))
    during = left[int(0.25 * RATE) : -RATE]
    assert np.count_nonzero(during) < 0.02 * len(during)


# Whether it is wanted.


@pytest.mark.parametrize(
    ("canceller", "name", "is_file", "chosen"),
    [
        ("auto", "USB Audio", False, "builtin"),
        ("auto", "Echo-Cancel source of USB Audio", False, None),
        ("auto", "question.wav", True, None),
        ("builtin", "question.wav", True, "builtin"),
        ("webrtc", "USB Audio", False, "webrtc"),
        ("none", "USB Audio", False, None),
    ],
)
def test_canceller_is_on_unless_another_is_there(
    canceller: str, name: str, is_file: bool, chosen: str | None
) -> None:
    settings = EchoSettings.model_validate({"canceller": canceller})
    assert settings.chosen_for(name, is_file) == chosen
