"""How often a robot interrupts itself, and how often it hears who interrupts it.

Simulated: the reply goes through a room into the microphone, in half of the trials
with somebody who speaks over it. Echo canceller, local detector and gate are the
robot's own; time is that of the samples, so trials run as fast as they compute. The
reply goes on whatever is heard, which is harder than on a robot that falls silent.
"""

from __future__ import annotations

import asyncio
import math
import multiprocessing
import os
from collections.abc import AsyncIterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from voicemesh.audio import Samples
from voicemesh.audio_format import FULL_SCALE, linear16
from voicemesh.grpc_client import open_channel
from voicemesh.v1 import asr_pb2 as pb
from voicemesh.v1 import common_pb2
from voicemesh.v1.asr_pb2_grpc import SpeechRecognizerServiceStub
from voicemesh_evaluation.turns.acoustics import Room, active_level
from voicemesh_evaluation.turns.speech import RATE_HERTZ, SynthesisVoice, speak
from voicemesh_robot.echo.cancelling import Cancelled
from voicemesh_robot.echo.device_clock import SLACK_S
from voicemesh_robot.echo.evidence import NO_ECHO
from voicemesh_robot.echo.frame_cleaner import FrameCleaner, MakeCanceller
from voicemesh_robot.local_vad import LocalVad, Voice, make_local_vad
from voicemesh_robot.sound.first_sign import FirstSign, SignTimes
from voicemesh_robot.sound.heard import Heard, HeardSilence, HeardSound
from voicemesh_robot.sound.speech_gate import GateTimes, SpeechGate

ECHO_DB = (-12.0, -6.0, 0.0)
"""The echo's level at the microphone by the user's."""
NO_ECHO_AT_ALL = "none"
"""Beside the levels: the same users where nothing plays and nothing is cancelled."""
REPLIES = (
    "artificial intelligence is the field that builds machines which learn from examples. "
    "it began in the nineteen fifties",
    "mars is the fourth planet from the sun. it is cold and red, and it has two small moons",
    "the speed of light is about three hundred thousand kilometres a second. nothing is known "
    "to be faster",
    "a battery turns chemical energy into electricity. when it is empty, some kinds can be "
    "charged again",
    "i have found three bakeries near the station. the closest one closes at six in the evening",
)
"""What the robot says meanwhile."""
_ROBOTS = tuple(SynthesisVoice("flite", name) for name in ("slt", "rms", "awb", "kal16"))
_USERS = tuple(SynthesisVoice("flite", name) for name in ("rms", "kal16", "slt", "awb"))
# Silence before and after the reply; the latter holds the longest delay and its room.
_LEAD_S, _TAIL_S = 0.5, 0.9
# The user begins after the reply's first second: where the way is not known yet, the
# robot listens from the first words on that it has heard of itself.
_EARLIEST_S, _REACTION_S = 1.2, 0.6
_USER_DBFS = (-32.0, -22.0)
_PLAYED_DB = (-12.0, 0.0)
_NOISE_DB = -35.0
_VAD_LEVEL = 2  # The robot's default.
_TIMEOUT_S = 120.0


@dataclass(frozen=True)
class EchoTrial:
    """What a robot plays, and what its microphone records meanwhile."""

    room: Room
    echo_db: float
    played: Samples
    heard: Samples
    user: range
    """The user's samples; empty: nobody speaks."""
    said: str = ""
    """What the user says."""


@dataclass(frozen=True)
class EchoFigures:
    """What came of many trials."""

    self_interruptions_per_100: float
    echo_interruptions_taken: dict[str, float]
    """By the echo's level in dB; shares from 0 to 1."""
    noticed_ms: dict[str, list[float]]
    """By the same, and ``NO_ECHO_AT_ALL``: from the user's first sample to its notice."""


def make_trial(
    reply: Samples, user: Samples | None, echo_db: float, rng: np.random.Generator, said: str = ""
) -> EchoTrial:
    """A room, levels and moments by chance; without ``user`` nobody interrupts."""
    room = Room.drawn(rng)
    quieter = 10 ** (rng.uniform(*_PLAYED_DB) / 20)
    lead, tail = int(_LEAD_S * RATE_HERTZ), int(_TAIL_S * RATE_HERTZ)
    played = np.pad((reply * quieter).astype(np.int16), (lead, tail))
    user_level = 10 ** (rng.uniform(*_USER_DBFS) / 20) * FULL_SCALE
    echo = room.echo(played, RATE_HERTZ)
    echo *= user_level * 10 ** (echo_db / 20) / max(1e-9, active_level(echo, RATE_HERTZ))
    heard = echo + rng.standard_normal(len(echo)) * user_level * 10 ** (_NOISE_DB / 20)
    speaking = range(0)
    if user is not None:
        earliest = lead + int(_EARLIEST_S * RATE_HERTZ)
        latest = max(earliest + 1, lead + len(reply) - len(user))
        begin = int(rng.integers(earliest, latest))
        speaking = range(begin, min(begin + len(user), len(heard)))
        wide = user[: len(speaking)].astype(np.float64)
        heard[begin : speaking.stop] += wide * user_level / active_level(user, RATE_HERTZ)
    samples = np.clip(np.rint(heard), -FULL_SCALE, FULL_SCALE - 1).astype(np.int16)
    return EchoTrial(room, echo_db, played, samples, speaking, said)


async def make_trials(
    interruptions: Sequence[str],
    count: int,
    *,
    interrupted: bool,
    seed: int = 1,
    levels: Sequence[float] = ECHO_DB,
) -> list[EchoTrial]:
    """``count`` trials, each with its own room; the echo's levels in dB in turn.

    The user never has the robot's voice, so that no test can tell them apart by it.
    """
    texts = [*product(REPLIES, _ROBOTS)]
    trials: list[EchoTrial] = []
    spoken: dict[tuple[str, SynthesisVoice], Samples] = {}
    with TemporaryDirectory() as folder:

        async def synthesise(text: str, voice: SynthesisVoice) -> Samples:
            if (text, voice) not in spoken:
                spoken[text, voice] = await speak(text, voice, Path(folder))
            return spoken[text, voice]

        for number in range(count):
            rng = np.random.default_rng([seed, int(interrupted), number])
            text, robot = texts[number % len(texts)]
            said = interruptions[number % len(interruptions)] if interrupted else ""
            voice = _USERS[_ROBOTS.index(robot)]
            user = await synthesise(said, voice) if interrupted else None
            echo_db = levels[number % len(levels)]
            trials.append(make_trial(await synthesise(text, robot), user, echo_db, rng, said))
    return trials


@dataclass(frozen=True)
class EchoTrialRun:
    """What the robot makes of a trial."""

    heard: list[Heard]
    """What it would send."""
    begins: list[int]
    """Where it falls silent for speech or a first sign of it: the sample at which it does."""


def run_trial(trial: EchoTrial, vad: LocalVad, make: MakeCanceller | None) -> EchoTrialRun:
    """The trial through echo canceller, detector and gate; ``make`` None: no canceller."""
    noticed: list[int] = []
    size = vad.frame_samples
    position = 0

    def notice(_: int | bool = True) -> None:
        noticed.append(position)

    gate = SpeechGate(GateTimes.of_ms(RATE_HERTZ), 0, notice)
    cleaner = None if make is None else FrameCleaner(make, size)
    sign = FirstSign(
        SignTimes.of_ms(RATE_HERTZ), lambda began: notice() if began else None, cleaner is not None
    )
    # As on a robot, what was played is read a little ahead of its echo.
    ahead = round(SLACK_S * RATE_HERTZ)
    played_all = np.pad(trial.played[ahead:], (0, ahead))
    heard: list[Heard] = []
    for begin in range(0, len(trial.heard) - size + 1, size):
        position = begin + size
        cleaned = [Cancelled(trial.heard[begin:position], NO_ECHO)]
        if cleaner is not None:
            cleaned = cleaner.process(cleaned[0].samples, played_all[begin:position])
        for one in cleaned:
            voice = one.judge(vad)
            heard += gate.process(one.samples, voice is Voice.CLEAR, one.is_user)
            sign.process(one, voice, gate.speaking)
    return EchoTrialRun(heard, noticed)


def _run_on_worker(trial: EchoTrial, make: MakeCanceller | None) -> EchoTrialRun:
    return run_trial(trial, make_local_vad("silero", _VAD_LEVEL), make)


def taken_after_ms(trial: EchoTrial, noticed: Sequence[int]) -> float | None:
    """From the user's first sample to the first moment in or right after the speech, if any."""
    last = trial.user.stop + int(_REACTION_S * RATE_HERTZ)
    moments = [sample for sample in noticed if trial.user.start < sample <= last]
    return (min(moments) - trial.user.start) * 1000 / RATE_HERTZ if moments else None


async def understood(target: str, run: EchoTrialRun) -> list[int]:
    """Where the recogniser at ``target`` takes what the robot sends for words: sample by sample."""
    config = pb.StreamingRecognitionConfig(audio_format=linear16(RATE_HERTZ), interim_results=True)

    async def requests() -> AsyncIterator[pb.StreamingRecognizeRequest]:
        yield pb.StreamingRecognizeRequest(streaming_config=config)
        for heard in run.heard:
            match heard:
                case HeardSound(first_sample, samples):
                    for at in range(0, len(samples), RATE_HERTZ):
                        audio = samples[at : at + RATE_HERTZ].tobytes()
                        chunk = common_pb2.AudioChunk(first_sample=first_sample + at, audio=audio)
                        yield pb.StreamingRecognizeRequest(audio=chunk)
                case HeardSilence(first_sample, sample_count):
                    silence = common_pb2.SilenceChunk(
                        first_sample=first_sample, sample_count=sample_count
                    )
                    yield pb.StreamingRecognizeRequest(silence=silence)

    async with open_channel(target) as channel:
        responses = SpeechRecognizerServiceStub(channel).StreamingRecognize(
            requests(), timeout=_TIMEOUT_S
        )
        return [
            response.turn_event.sample
            async for response in responses
            if response.turn_event.transcript.text
        ]


async def measure(
    interruptions: Sequence[str],
    count: int,
    make: MakeCanceller | None,
    seed: int = 1,
    recogniser: str = "",
) -> EchoFigures:
    """Figures of ``count`` replies without, and as many with an interruption, for each level.

    Speech counts where the robot itself notices it: there its playback pauses. With the
    address of a ``recogniser`` it counts where that one understands a word of it, which
    is what stops a reply. An interruption that is noticed before the user speaks counts
    as not taken. Trials are heard in processes of their own, as many as there are cores.
    """
    context = multiprocessing.get_context("spawn")  # The mesh's threads are no company for a fork.
    with ProcessPoolExecutor(os.cpu_count(), context) as processes:

        async def noticed(
            trials: Sequence[EchoTrial], make: MakeCanceller | None
        ) -> list[list[int]]:
            loop = asyncio.get_running_loop()
            running = (
                loop.run_in_executor(processes, _run_on_worker, trial, make) for trial in trials
            )
            runs = await asyncio.gather(*running)
            if not recogniser:
                return [run.begins for run in runs]
            return [await understood(recogniser, run) for run in runs]

        alone = await make_trials(interruptions, count, interrupted=False, seed=seed)
        wrong = sum(map(bool, await noticed(alone, make)))
        times: dict[str, list[float]] = {}
        levels = {f"{level:g}": level for level in ECHO_DB} | {NO_ECHO_AT_ALL: -math.inf}
        for name, level in levels.items():
            trials = await make_trials(
                interruptions, count, interrupted=True, seed=seed, levels=(level,)
            )
            heard = await noticed(trials, None if math.isinf(level) else make)
            found = map(taken_after_ms, trials, heard)
            times[name] = [ms for ms in found if ms is not None]
    right = {f"{level:g}": len(times[f"{level:g}"]) / count for level in ECHO_DB}
    return EchoFigures(100 * wrong / count, right, times)
