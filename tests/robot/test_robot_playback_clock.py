from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voicemesh_robot.asking.playback_clock import PlaybackClock, StorageClock

RATE = 16_000


def test_nothing_is_played_before_audio_arrives() -> None:
    clock = PlaybackClock(RATE)
    assert clock.played(100.0) == 0
    clock.arrived(100.0, RATE)
    assert clock.played(100.0) == 0
    assert clock.played(100.25) == RATE // 4


def test_reply_that_arrives_late_underruns_and_goes_on_where_it_stood() -> None:
    clock = PlaybackClock(RATE)
    clock.arrived(10.0, RATE)
    assert clock.played(11.5) == RATE
    clock.arrived(11.5, RATE)
    assert clock.underrun_s == pytest.approx(0.5)
    assert clock.played(12.0) == RATE + RATE // 2


def test_end_of_a_reply_is_no_underrun() -> None:
    clock = PlaybackClock(RATE)
    clock.arrived(0.0, RATE)
    clock.complete(0.1)
    assert not clock.drained(0.99)
    assert clock.drained(1.0)
    assert clock.drained(5.0)
    assert clock.underrun_s == 0


def test_reply_that_may_go_on_is_not_drained() -> None:
    clock = PlaybackClock(RATE)
    clock.arrived(0.0, 100)
    assert clock.played(1.0) == 100
    assert not clock.drained(1.0)
    clock.complete(1.0)
    assert clock.drained(1.0)


def test_pause_loses_nothing() -> None:
    clock = PlaybackClock(RATE)
    clock.arrived(0.0, 2 * RATE)
    clock.pause(0.5)
    assert clock.is_paused
    assert clock.played(3.0) == RATE // 2
    clock.resume(3.0)
    assert clock.played(3.5) == RATE
    assert clock.paused_s == pytest.approx(2.5)
    assert clock.underrun_s == 0


def test_time_at_which_the_speaker_runs_dry_is_foreseen() -> None:
    clock = PlaybackClock(RATE)
    clock.arrived(5.0, RATE)
    assert clock.runs_dry_at(5.25) == pytest.approx(6.0)
    clock.pause(5.5)
    assert clock.runs_dry_at(5.6) == float("inf")


def test_stored_reply_is_played_as_it_arrives() -> None:
    clock = StorageClock(RATE)
    clock.arrived(1.0, 5 * RATE)
    assert clock.played(1.0) == 5 * RATE
    assert not clock.drained(1.0)
    clock.complete(1.0)
    assert clock.drained(1.0)


steps = st.lists(
    st.tuples(
        st.floats(0, 2, allow_nan=False),
        st.one_of(
            st.tuples(st.just("arrived"), st.integers(1, 2 * RATE)),
            st.tuples(st.sampled_from(["pause", "resume", "look"]), st.just(0)),
        ),
    ),
    max_size=30,
)


@given(steps=steps)
def test_every_second_is_played_paused_or_an_underrun(
    steps: list[tuple[float, tuple[str, int]]],
) -> None:
    clock = PlaybackClock(RATE)
    now, begun_at, played = 0.0, None, 0
    for wait, (step, count) in steps:
        now += wait
        if step == "arrived":
            begun_at = now if begun_at is None else begun_at
            clock.arrived(now, count)
        elif step == "pause":
            clock.pause(now)
        elif step == "resume":
            clock.resume(now)
        before, played = played, clock.played(now)
        assert before <= played <= clock.received
    elapsed = 0.0 if begun_at is None else now - begun_at
    accounted = played / RATE + clock.underrun_s + clock.paused_s
    assert accounted == pytest.approx(elapsed, abs=2 / RATE)
