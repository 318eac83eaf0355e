"""``voicemesh doctor --audio``: plays a chirp and looks for it in the microphone."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from dataclasses import dataclass

import numpy as np

from voicemesh.audio import Samples
from voicemesh.check import Check
from voicemesh.errors import VoiceMeshError
from voicemesh.settings import Settings
from voicemesh.v1 import common_pb2 as pb
from voicemesh_robot.clock import MonotonicClock
from voicemesh_robot.devices.choice import choose_microphone, choose_speaker
from voicemesh_robot.devices.portaudio import PortAudio
from voicemesh_robot.echo.device_clock import SLACK_S, DeviceClock
from voicemesh_robot.echo.reference import PlayedReference
from voicemesh_robot.settings import RobotSettings
from voicemesh_robot.sound.level_meter import LevelMeter
from voicemesh_robot.sound.microphone import CLIPPING_SHARE, Gap, Microphone
from voicemesh_robot.sound.speaker import Speaker

RATE_HERTZ = Microphone.rate_hertz
# What a small speaker plays and a recogniser hears; a fade keeps the ends from clicking.
_CHIRP_S, _CHIRP_HERTZ, _FADE_S = 1.0, (200.0, 6_000.0), 0.02
_CHIRP_LEVEL = 8_192
"""Peak, -12 dBFS: as loud as replies are."""
_BEFORE_S, _AFTER_S, _LONGEST_S = 0.4, 1.0, 10.0
# The matched filter's peak by its root-mean-square; noise alone reaches 5.
_FOUND = 9.0
_LOUD_DBFS, _LITTLE_DB = -9.0, 6.0
_LONGEST_DELAY_S = 1.0


def chirp() -> Samples:
    """From the lowest to the highest frequency in a second, 16 kHz."""
    times = np.arange(int(_CHIRP_S * RATE_HERTZ)) / RATE_HERTZ
    low, high = _CHIRP_HERTZ
    phase = 2 * np.pi * (low * times + (high - low) * times**2 / (2 * _CHIRP_S))
    edge = np.minimum(times, _CHIRP_S - times) / _FADE_S
    return np.asarray(np.sin(phase) * np.minimum(1, edge) * _CHIRP_LEVEL, dtype=np.int16)


@dataclass(frozen=True)
class Take:
    """A recording and what was played meanwhile, sample by sample, at 16 kHz."""

    heard: Samples
    played: Samples
    """So shifted that an echo without delay comes ``slack`` samples later."""
    slack: int = round(SLACK_S * RATE_HERTZ)


def judge(take: Take, longest_delay_ms: int) -> list[Check]:
    """What a recording of the chirp says, and what to do about it."""
    meter = LevelMeter(RATE_HERTZ)
    places = np.flatnonzero(take.played)
    if not len(places):
        cure = "try again; if it stays so, another program may hold the speaker: close it"
        return [Check("speaker", "fail", "it asked for no sound within the time", cure)]
    if not take.heard.any():
        cure = "unmute it, or choose another with robot.microphone (see `voicemesh devices`)"
        return [Check("microphone", "fail", "it gives digital silence", cure)]
    lag = _lag(take)
    begin = int(places[0]) + (0 if lag is None else lag + take.slack)
    loud = take.heard[begin : begin + int(_CHIRP_S * RATE_HERTZ)]
    meter.feed(loud)
    before = LevelMeter(RATE_HERTZ)
    before.feed(take.heard[: int(places[0])][-RATE_HERTZ:])
    checks = [_level(meter, before)]
    if lag is None:
        cure = (
            "with a headset all is well; else turn the speaker up and look whether "
            "`voicemesh devices` marks the devices you mean"
        )
        detail = f"the microphone does not hear the chirp (noise {before.dbfs:.0f} dBFS)"
        return [*checks, Check("echo", "warn", detail, cure)]
    return [*checks, _delay(lag, longest_delay_ms), _return_loss(take, loud, before)]


def _lag(take: Take) -> int | None:
    """The delay in samples, by a matched filter; None: the chirp is not in it."""
    size = 1 << (len(take.heard) + len(take.played)).bit_length()
    spectrum = np.fft.rfft(take.heard.astype(np.float64), size)
    products = np.fft.irfft(spectrum * np.conj(np.fft.rfft(take.played.astype(np.float64), size)))
    wanted = np.abs(products[: take.slack + int(_LONGEST_DELAY_S * RATE_HERTZ)])
    best = int(np.argmax(wanted))
    level = float(np.sqrt(np.mean(wanted**2)))
    return best - take.slack if level > 0 and wanted[best] > _FOUND * level else None


def _level(meter: LevelMeter, before: LevelMeter) -> Check:
    detail = f"{meter.dbfs:.0f} dBFS during the chirp, {before.dbfs:.0f} before it"
    if meter.clipped_share > CLIPPING_SHARE:
        cure = "turn the microphone's gain down, or the speaker, until nothing clips"
        return Check("level", "fail", f"{detail}; {meter.clipped_share:.1%} clips", cure)
    if meter.dbfs > _LOUD_DBFS:
        cure = "turn the speaker or the microphone's gain down: a user who speaks as well will clip"
        return Check("level", "warn", f"{detail}: too loud", cure)
    if meter.dbfs < before.dbfs + _LITTLE_DB:
        cure = "turn the speaker up, or the microphone's gain; a headset may be as quiet as that"
        return Check("level", "warn", f"{detail}: too quiet", cure)
    return Check("level", "ok", detail)


def _delay(lag: int, longest_delay_ms: int) -> Check:
    delay_ms = lag * 1000 / RATE_HERTZ
    detail = f"{delay_ms:.0f} ms from play-out to the microphone"
    if delay_ms > longest_delay_ms:
        cure = f"set robot.echo.longest_delay_ms above {delay_ms:.0f}"
        return Check("delay", "fail", detail, cure)
    setting = f"robot.echo.delay_ms = {delay_ms:.0f} spares the first reply the search for it"
    return Check("delay", "ok", f"{detail}; {setting}")


def _return_loss(take: Take, loud: Samples, before: LevelMeter) -> Check:
    wide = loud.astype(np.float64)
    noise = 10 ** (before.dbfs / 10) * 32_768.0**2
    echo = max(1e-3, float(np.mean(wide**2)) - noise)
    played = take.played[take.played != 0].astype(np.float64)
    loss_db = 10 * np.log10(float(np.mean(played**2)) / echo)
    detail = f"{loss_db:.0f} dB echo return loss"
    if loss_db < 0:
        cure = "turn the speaker or the microphone's gain down: the echo is louder than the reply"
        return Check("echo", "warn", detail, cure)
    return Check("echo", "ok", detail)


async def _record(settings: RobotSettings) -> Take:
    """Play the chirp through the devices that the settings name."""
    clock = MonotonicClock()
    portaudio = PortAudio()
    microphone = Microphone(choose_microphone(settings, portaudio, clock), clock)
    reference = PlayedReference(RATE_HERTZ)
    speaker = Speaker(choose_speaker(settings, portaudio, clock), clock, reference=reference)
    recorded = DeviceClock(RATE_HERTZ)
    parts: list[Samples] = []
    first = 0
    drained_s: float | None = None
    try:
        await speaker.open()
        async with asyncio.timeout(_LONGEST_S), aclosing(microphone.listen()) as sounds:
            async for sound in sounds:
                if isinstance(sound, Gap):
                    parts.append(np.zeros(sound.sample_count, np.int16))
                else:
                    parts.append(sound)
                recorded.feed(microphone.position, clock.now())
                heard_s = sum(map(len, parts)) / RATE_HERTZ
                first = microphone.position - sum(map(len, parts))
                if heard_s >= _BEFORE_S and not speaker.playing and drained_s is None:
                    await speaker.begin(pb.Stamp(epoch=1, turn=1), RATE_HERTZ)
                    speaker.add(chirp())
                    speaker.complete()
                    drained_s = heard_s + _CHIRP_S + _AFTER_S
                if drained_s is not None and speaker.drained and heard_s >= drained_s:
                    break
    finally:
        await speaker.close()
    heard = np.concatenate(parts)
    return Take(heard, reference.read(len(heard), recorded.moment_of(first)))


def audio_checks(settings: Settings) -> list[Check]:
    """Play, listen and judge; devices that are not there are a failed check."""
    robot = settings.section("robot", RobotSettings)
    try:
        take = asyncio.run(_record(robot))
    except VoiceMeshError as error:
        return [Check("devices", "fail", error.message)]
    except TimeoutError:
        cure = "look whether another program holds the devices, and at `voicemesh devices`"
        return [Check("devices", "fail", f"no sound came within {_LONGEST_S:g} s", cure)]
    return judge(take, robot.echo.longest_delay_ms)
