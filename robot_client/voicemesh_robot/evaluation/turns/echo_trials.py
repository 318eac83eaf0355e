"""How often a robot interrupts itself, and how often it hears who interrupts it.

Simulated: the reply goes through a room into the microphone, in half of the trials
with somebody who speaks over it. Echo canceller, local detector and gate are the
robot's own; time is that of the samples, so trials run as fast as they compute. The
reply goes on whatever is heard, which is harder than on a robot that falls silent.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from voicemesh.audio import FULL_SCALE, Samples, linear16
from voicemesh.channels import open_channel
from voicemesh.v1 import asr_pb2 as pb
from voicemesh.v1 import common_pb2
from voicemesh.v1.asr_pb2_grpc import SpeechRecognizerServiceStub
from voicemesh_robot.echo.canceller import EchoCanceller, EchoTimes
from voicemesh_robot.evaluation.turns.acoustics import Room, active_level
from voicemesh_robot.evaluation.turns.speech import RATE_HERTZ, Voice, speak
from voicemesh_robot.local_vad import LocalVad, make_local_vad
from voicemesh_robot.sources import Heard, Silence, Sound
from voicemesh_robot.speech_gate import GateTimes, SpeechGate

ECHO_DB = (-12.0, -6.0, 0.0)
"""The echo's level at the microphone by the user's."""
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
_ROBOTS = tuple(Voice("flite", name) for name in ("slt", "rms", "awb", "kal16"))
_USERS = tuple(Voice("flite", name) for name in ("rms", "kal16", "slt", "awb"))
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

    def entries(self) -> dict[str, object]:
        """For a report in JSON."""
        return {
            "self_interruptions_per_100": self.self_interruptions_per_100,
            "echo_interruptions_taken": self.echo_interruptions_taken,
        }


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
    echo *= user_level * 10 ** (echo_db / 20) / active_level(echo, RATE_HERTZ)
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
    interruptions: Sequence[str], count: int, *, interrupted: bool, seed: int = 1
) -> list[EchoTrial]:
    """``count`` trials, each with its own room; the echo's levels of ``ECHO_DB`` in turn.

    The user never has the robot's voice, so that no test can tell them apart by it.
    """
    texts = [*product(REPLIES, _ROBOTS)]
    trials: list[EchoTrial] = []
    spoken: dict[tuple[str, Voice], Samples] = {}
    with TemporaryDirectory() as folder:

        async def say(text: str, voice: Voice) -> Samples:
            if (text, voice) not in spoken:
                spoken[text, voice] = await speak(text, voice, Path(folder))
            return spoken[text, voice]

        for number in range(count):
            rng = np.random.default_rng([seed, int(interrupted), number])
            text, robot = texts[number % len(texts)]
            said = interruptions[number % len(interruptions)] if interrupted else ""
            voice = _USERS[_ROBOTS.index(robot)]
            user = await say(said, voice) if interrupted else None
            echo_db = ECHO_DB[number % len(ECHO_DB)]
            trials.append(make_trial(await say(text, robot), user, echo_db, rng, said))
    return trials


@dataclass(frozen=True)
class EarRun:
    """What the robot makes of a trial."""

    heard: list[Heard]
    """What it would send."""
    begins: list[int]
    """Where it has noticed speech: the sample at which it does, not where that began."""


def listen(trial: EchoTrial, vad: LocalVad, times: EchoTimes | None) -> EarRun:
    """The trial through echo canceller, detector and gate; ``times`` None: no canceller."""
    noticed: list[int] = []
    size = vad.frame_samples
    position = 0
    gate = SpeechGate(GateTimes.of_ms(RATE_HERTZ), 0, lambda begin: noticed.append(position))
    canceller = None if times is None else EchoCanceller(RATE_HERTZ, size // 2, times)
    heard: list[Heard] = []
    for begin in range(0, len(trial.heard) - size + 1, size):
        position = begin + size
        frame = trial.heard[begin:position]
        if canceller is not None:
            played = trial.played[begin:position]
            halves = zip(np.split(frame, 2), np.split(played, 2), strict=True)
            frame = np.concatenate([canceller.push(*pair).samples for pair in halves])
        heard += gate.push(frame, vad.is_speech(frame))
    return EarRun(heard, noticed)


def taken(trial: EchoTrial, noticed: Sequence[int]) -> bool:
    """Whether one of the moments lies in or right after the user's speech."""
    last = trial.user.stop + int(_REACTION_S * RATE_HERTZ)
    return any(trial.user.start < sample <= last for sample in noticed)


async def understood(target: str, run: EarRun) -> list[int]:
    """Where the recogniser at ``target`` takes what the robot sends for words: sample by sample."""
    config = pb.StreamingRecognitionConfig(audio_format=linear16(RATE_HERTZ), interim_results=True)

    async def requests() -> AsyncIterator[pb.StreamingRecognizeRequest]:
        yield pb.StreamingRecognizeRequest(streaming_config=config)
        for heard in run.heard:
            match heard:
                case Sound(first_sample, samples):
                    for at in range(0, len(samples), RATE_HERTZ):
                        audio = samples[at : at + RATE_HERTZ].tobytes()
                        chunk = common_pb2.AudioChunk(first_sample=first_sample + at, audio=audio)
                        yield pb.StreamingRecognizeRequest(audio=chunk)
                case Silence(first_sample, sample_count):
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
    times: EchoTimes | None,
    seed: int = 1,
    recogniser: str = "",
) -> EchoFigures:
    """Figures of ``count`` replies without, and as many with an interruption, for each level.

    Speech counts where the robot itself notices it: there its playback pauses. With the
    address of a ``recogniser`` it counts where that one understands a word of it, which
    is what stops a reply. An interruption that is noticed before the user speaks counts
    as not taken. The work between two trials goes on in a thread.
    """

    async def noticed(trial: EchoTrial) -> list[int]:
        vad = make_local_vad("silero", _VAD_LEVEL)
        run = await asyncio.to_thread(listen, trial, vad, times)
        return await understood(recogniser, run) if recogniser else run.begins

    alone = await make_trials(interruptions, count, interrupted=False, seed=seed)
    interrupted = await make_trials(
        interruptions, count * len(ECHO_DB), interrupted=True, seed=seed
    )
    wrong = 0
    for trial in alone:
        wrong += bool(await noticed(trial))
    right = {f"{level:g}": 0 for level in ECHO_DB}
    for trial in interrupted:
        right[f"{trial.echo_db:g}"] += taken(trial, await noticed(trial))
    return EchoFigures(100 * wrong / count, {level: n / count for level, n in right.items()})
