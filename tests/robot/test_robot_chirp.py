"""``voicemesh doctor --audio`` says what a microphone hears of its speaker, and the cure."""

from __future__ import annotations

import numpy as np
import pytest

from voicemesh.audio import Samples
from voicemesh.check import Check
from voicemesh_evaluation.turns.acoustics import Room
from voicemesh_robot.checks.chirp import RATE_HERTZ, Take, chirp, judge

from .pulse_audio import PulseAudio


def take(
    gain_db: float = -20, delay_ms: float = 100, floor: float = 10, with_echo: bool = True
) -> Take:
    """A chirp in a room."""
    played = np.pad(chirp(), (RATE_HERTZ // 2, 2 * RATE_HERTZ))
    heard = np.random.default_rng(1).standard_normal(len(played)) * floor
    if with_echo:
        heard += Room(delay_ms, 200, distortion=0).echo(played, RATE_HERTZ) * 10 ** (gain_db / 20)
    return Take(np.clip(np.rint(heard), -32_768, 32_767).astype(np.int16), played, slack=0)


def by_name(checks: list[Check]) -> dict[str, Check]:
    return {check.name: check for check in checks}


@pytest.mark.parametrize("delay_ms", [0, 100, 400])
@pytest.mark.parametrize("gain_db", [-30, -10])
def test_level_delay_and_return_loss_are_measured(gain_db: float, delay_ms: float) -> None:
    checks = by_name(judge(take(gain_db, delay_ms), 500))
    assert {name: check.verdict for name, check in checks.items()} == {
        "level": "ok",
        "delay": "ok",
        "echo": "ok",
    }
    assert float(checks["delay"].detail.split()[0]) == pytest.approx(delay_ms + 4, abs=2)
    assert f"robot.echo.delay_ms = {checks['delay'].detail.split()[0]} " in checks["delay"].detail
    assert float(checks["echo"].detail.split()[0]) == pytest.approx(-gain_db, abs=3)


def test_clipping_says_what_to_turn_down() -> None:
    level = by_name(judge(take(gain_db=20), 500))["level"]
    assert level.verdict == "fail"
    assert "clips" in level.detail
    assert "turn" in level.cure


def test_echo_that_is_louder_than_the_reply_is_told() -> None:
    assert by_name(judge(take(gain_db=4), 500))["echo"].verdict == "warn"


def test_quiet_echo_in_noise_is_too_quiet_and_still_found() -> None:
    checks = by_name(judge(take(gain_db=-26, floor=300), 500))
    assert "too quiet" in checks["level"].detail
    assert checks["delay"].verdict == "ok"


def test_longer_delay_than_is_looked_for_names_the_setting() -> None:
    delay = by_name(judge(take(delay_ms=350), 300))["delay"]
    assert delay.verdict == "fail"
    assert "robot.echo.longest_delay_ms" in delay.cure


def test_microphone_that_hears_no_speaker_is_told_apart_from_a_muted_one() -> None:
    headset = by_name(judge(take(with_echo=False), 500))
    assert headset["echo"].verdict == "warn"
    assert "does not hear" in headset["echo"].detail
    silent = Take(np.zeros(RATE_HERTZ, np.int16), chirp())
    assert "digital silence" in by_name(judge(silent, 500))["microphone"].detail
    nothing: Samples = np.zeros(RATE_HERTZ, np.int16)
    assert by_name(judge(Take(chirp(), nothing), 500))["speaker"].verdict == "fail"


@pytest.mark.asyncio(loop_scope="session")
async def test_doctor_measures_the_way_through_a_sound_server(pulse: PulseAudio) -> None:
    await pulse.control(
        "load-module",
        "module-loopback",
        "source=speaker.monitor",
        "sink=micfeed",
        "latency_msec=60",
    )
    await pulse.control("set-sink-volume", "micfeed", "-12dB")
    async with pulse.command("doctor", "--audio") as doctor:
        status = await doctor.end()
    said = "\n".join(doctor.lines)
    assert status == 0, said
    assert "ms from play-out to the microphone" in said
    assert "dB echo return loss" in said


@pytest.mark.asyncio(loop_scope="session")
async def test_doctor_tells_a_muted_microphone(pulse: PulseAudio) -> None:
    async with pulse.command("doctor", "--audio") as doctor:
        status = await doctor.end()
    assert status == 1
    assert any("digital silence" in line for line in doctor.lines)
