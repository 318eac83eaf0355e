"""An echo whose way changes while the robot speaks is not taken for a user."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest

from voicemesh.audio import Samples
from voicemesh_evaluation.turns.acoustics import Room, active_level
from voicemesh_evaluation.turns.echo_trials import REPLIES
from voicemesh_robot.echo.cancelling import EchoTimes
from voicemesh_robot.echo.choice import canceller_maker
from voicemesh_robot.echo.frame_cleaner import FrameCleaner
from voicemesh_robot.echo.guard import EchoGuard
from voicemesh_robot.local_vad import Voice, make_local_vad
from voicemesh_robot.sound.speech_gate import GateTimes, SpeechGate

RATE = 16_000
MOVED = int(3.2 * RATE)
"""When the way changes."""
LEVEL = 1_000.0
Speech = Callable[..., Samples]


@pytest.fixture(name="played", scope="module")
def played_reply(flite_speech: Speech) -> Samples:
    """A reply of 9 s, with silence around it."""
    parts = [np.pad(flite_speech(text, "slt"), (0, RATE // 4)) for text in REPLIES]
    return np.pad(np.concatenate(parts)[: 9 * RATE], (RATE // 5, RATE // 2))


def heard_over(played: Samples, before: Room, after: Room, gap_s: float = 0.0) -> Samples:
    """One room's echo up to ``MOVED``, a gap, and the other's."""
    first, then = (room.echo(played, RATE) for room in (before, after))
    level = LEVEL / active_level(first, RATE)
    again = MOVED + int(gap_s * RATE)
    echo = np.concatenate([first[:MOVED], np.zeros(again - MOVED), then[again:]]) * level
    echo += np.random.default_rng(3).standard_normal(len(echo)) * 5
    return np.asarray(np.clip(np.rint(echo), -32_768, 32_767), dtype=np.int16)


@dataclass(frozen=True)
class Listened:
    """What robot's detector and gate make of a microphone."""

    speech: list[int]
    """First samples of the frames that the guard lets through and the detector takes for speech."""
    begins: list[int]
    """Where the robot notices somebody."""
    delay_ms: float | None


def run_trial(heard: Samples, played: Samples) -> Listened:
    vad = make_local_vad("silero", 2)
    size = vad.frame_samples
    speech: list[int] = []
    begins: list[int] = []
    end = 0
    gate = SpeechGate(GateTimes.of_ms(RATE), 0, lambda begin: begins.append(end))
    cleaner = FrameCleaner(canceller_maker("builtin", RATE, EchoTimes()), size)
    delay_ms = None
    for at in range(0, len(heard) - size + 1, size):
        end = at + size
        for one in cleaner.process(heard[at:end], played[at:end]):
            first = gate.position
            is_speech = one.judge(vad) is Voice.CLEAR
            gate.process(one.samples, is_speech, one.is_user)
            if is_speech and one.is_user:
                speech.append(first)
            delay_ms = one.evidence.delay_ms or delay_ms
    return Listened(speech, begins, delay_ms)


@pytest.mark.parametrize(
    ("before_ms", "after_ms", "gap_s"),
    [(160, 86, 0.0), (60, 200, 0.0), (100, 104, 0.0), (160, 86, 0.2), (60, 200, 0.4)],
)
def test_robot_does_not_hear_itself_when_the_delay_jumps(
    played: Samples, before_ms: float, after_ms: float, gap_s: float
) -> None:
    before, after = Room(before_ms, 250, seed=4), Room(after_ms, 250, seed=4)
    found = run_trial(heard_over(played, before, after, gap_s), played)
    assert found.begins == []
    settled = MOVED + int((gap_s + 0.5) * RATE)
    assert [at for at in found.speech if at >= settled] == []
    assert len(found.speech) * 0.032 < 0.15
    # The speaker's own band-pass takes 4 ms.
    assert found.delay_ms == pytest.approx(after_ms + 4, abs=3)


@pytest.mark.parametrize("after_s", [0.0, 0.3])
def test_user_who_speaks_right_after_a_jump_is_heard(
    played: Samples, flite_speech: Speech, after_s: float
) -> None:
    user = flite_speech("wait a moment please. how does a battery work", "rms").astype(np.float64)
    user *= 2 * LEVEL / active_level(user, RATE)
    heard = heard_over(played, Room(160, 250, seed=4), Room(86, 250, seed=4)).astype(np.float64)
    begin = MOVED + int(after_s * RATE)
    heard[begin : begin + len(user)] += user
    found = run_trial(np.clip(heard, -32_768, 32_767).astype(np.int16), played)
    assert found.begins
    assert begin < found.begins[0] < begin + len(user)
    settled = begin + len(user) + RATE // 2
    assert [at for at in found.speech if at >= settled] == []


class Clock:
    """Moves by hand."""

    time_s = 100.0

    def now(self) -> float:
        return self.time_s

    async def sleep_until(self, moment_s: float) -> None:
        self.time_s = moment_s


def test_log_tells_once_that_the_delay_has_moved(
    played: Samples, caplog: pytest.LogCaptureFixture
) -> None:
    clock = Clock()
    guard = EchoGuard(RATE, canceller_maker("builtin", RATE, EchoTimes()), clock)
    guard.reference.restart(RATE)
    heard = heard_over(played, Room(160, 250, seed=4), Room(86, 250, seed=4))
    with caplog.at_level(logging.INFO):
        for first in range(0, MOVED + 2 * RATE, 320):
            guard.reference.feed(played[first : first + 320], 320, clock.time_s + 0.04)
            clock.time_s += 0.02
            guard.arrived(first + 320)
            guard.clean(heard[first : first + 320], first)
    told = [record.message for record in caplog.records if "delay" in record.message]
    # The speaker says that it plays 40 ms later than this room's does.
    assert told == ["the echo's delay has moved from 124 to 50 ms"]
