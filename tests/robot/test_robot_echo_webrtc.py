"""WebRTC's canceller in the place of the built-in one."""

from __future__ import annotations

import sys
from collections.abc import Callable

import numpy as np
import pytest

from voicemesh.audio import Samples
from voicemesh.errors import EngineMissing
from voicemesh_evaluation.turns.acoustics import Room, active_level
from voicemesh_robot.echo.cancelling import CancellerStage, EchoTimes
from voicemesh_robot.echo.choice import canceller_maker
from voicemesh_robot.echo.frame_cleaner import FrameCleaner

RATE = 16_000
FRAME = 512
Speech = Callable[..., Samples]
REPLY = (
    "mars is the fourth planet from the sun. it is cold and red, and it has two small moons. "
    "nobody has been there yet"
)


def test_missing_library_is_told_with_its_cure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pywebrtc_audio", None)
    with pytest.raises(EngineMissing, match=r"pip install 'voicemesh-robot\[aec\]'"):
        canceller_maker("webrtc", RATE, EchoTimes())


def cleaned(heard: Samples, played: Samples, frame: int = FRAME) -> tuple[Samples, FrameCleaner]:
    """All frames through the canceller, as long as what was heard."""
    cleaner = FrameCleaner(canceller_maker("webrtc", RATE, EchoTimes()), frame)
    out = [
        one.samples
        for at in range(0, len(heard) - frame + 1, frame)
        for one in cleaner.process(heard[at : at + frame], played[at : at + frame])
    ]
    return np.concatenate(out), cleaner


def power_db(samples: Samples) -> float:
    return float(10 * np.log10(np.mean(samples.astype(np.float64) ** 2) + 1e-9))


def test_reply_is_taken_out_and_who_speaks_over_it_is_not(flite_speech: Speech) -> None:
    reply = flite_speech(REPLY, "slt")
    played = np.concatenate([reply, reply, np.zeros(RATE // 2, np.int16)])
    user = flite_speech("how does a battery work", "rms").astype(np.float64)
    echo = Room(delay_ms=120, decay_ms=250, seed=5).echo(played, RATE)
    echo *= active_level(user, RATE) / 2 / active_level(echo, RATE)
    begin = len(reply) + RATE
    heard = echo.copy()
    heard[begin : begin + len(user)] += user
    left, cleaner = cleaned(np.clip(heard, -32_768, 32_767).astype(np.int16), played)
    assert cleaner.stage is CancellerStage.LOCKED
    alone = slice(len(reply) // 2, len(reply))
    assert power_db(left[alone]) < power_db(echo[alone].astype(np.int16)) - 15
    spoken = slice(begin, begin + len(user))
    assert power_db(left[spoken]) > power_db(user.astype(np.int16)) - 6


@pytest.mark.parametrize("frame", [FRAME, 160, 100])
def test_frames_are_as_many_and_as_long_as_those_that_went_in(
    flite_speech: Speech, frame: int
) -> None:
    reply = flite_speech("yes", "slt")
    reply = reply[: len(reply) // frame * frame]
    left, _ = cleaned(reply, np.zeros_like(reply), frame)
    assert len(left) == len(reply)
    # Nothing was played: what was heard is there, a moment later.
    lags = np.correlate(left.astype(np.float64), reply.astype(np.float64), "full")
    assert 0 <= int(np.argmax(lags)) - (len(reply) - 1) <= RATE // 50
