"""When a microphone's frames go to ASR: silence may wait, what may begin or end a turn may not."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import grpc.aio
import numpy as np
import pytest
from numpy.typing import NDArray

from voicemesh.errors import VoiceMeshError
from voicemesh.grpc_client import open_channel
from voicemesh.settings import load
from voicemesh.v1 import asr_pb2, common_pb2
from voicemesh.v1.asr_pb2_grpc import (
    SpeechRecognizerServiceServicer,
    SpeechRecognizerServiceStub,
)
from voicemesh_orchestrator.settings import OrchestratorSettings
from voicemesh_orchestrator.upstream.recognition import Recognition
from voicemesh_orchestrator.upstream.send_ticks import SendTicks
from voicemesh_orchestrator.upstream.sound_level import SoundLevel

from .test_lost_recognition import offering_ears

RATE, FRAME = 16_000, 320
Samples = NDArray[np.int16]


def noise(peak: int, frames: int = 1) -> Samples:
    return np.random.default_rng(3).integers(-peak, peak + 1, frames * FRAME).astype(np.int16)


class CountingEars(SpeechRecognizerServiceServicer):
    """Notes how many frames each message brings; a turn begins where ``turn_at`` says."""

    def __init__(self, turn_at: int) -> None:
        self.frames: list[int] = []
        self.echo: list[float] = []
        self.ended = asyncio.Event()
        self._turn_at = turn_at

    async def Recognize(
        self, request: asr_pb2.RecognizeRequest, context: Any
    ) -> asr_pb2.RecognizeResponse:
        raise AssertionError("nobody asks it for a recording")

    async def StreamingRecognize(  # type: ignore[override]  # The stubs know no such coroutine.
        self,
        request_iterator: AsyncIterator[asr_pb2.StreamingRecognizeRequest],
        context: grpc.aio.ServicerContext[Any, Any],
    ) -> None:
        Response = asr_pb2.StreamingRecognizeResponse
        async for request in request_iterator:
            match request.WhichOneof("streaming_request"):
                case "streaming_config":
                    # An eager end comes long before the end.
                    waits = asr_pb2.TurnDetectorOptions(
                        sentence_end_wait_ms=900, clause_end_wait_ms=900, eager_wait_ms=100
                    )
                    started = asr_pb2.RecognitionStarted(turn_detector=waits)
                    await context.write(Response(started=started))
                case "audio":
                    self.frames.append(len(request.audio.audio) // 2 // FRAME)
                    self.echo.append(round(request.audio.echo.likelihood, 3))
                    if sum(self.frames) == self._turn_at:
                        event = asr_pb2.TurnEvent(type=asr_pb2.TURN_EVENT_TYPE_START_OF_TURN)
                        await context.write(Response(turn_event=event))
                case "end_of_utterance":
                    self.ended.set()


class Listener:
    """Follows the turns."""

    def __init__(self) -> None:
        self.began = asyncio.Event()

    def on_turn_event(self, event: asr_pb2.TurnEvent) -> None:
        self.began.set()

    def recognition_failed(self, error: VoiceMeshError, spoken: bool = False) -> None:
        pytest.fail(str(error))


@asynccontextmanager
async def microphone(ears: CountingEars) -> AsyncIterator[tuple[Recognition, Listener]]:
    """A microphone among many, whose common moment never comes."""
    ticks, listener = SendTicks(3600.0), Listener()
    leaves = [ticks.join(asyncio.Event().set) for _ in range(8)]
    async with offering_ears(ears) as target, open_channel(target) as channel:
        settings = load(environ={}, flags={"orchestrator.asr_target": target})
        config = asr_pb2.StreamingRecognitionConfig(
            audio_format=common_pb2.AudioFormat(sample_rate_hertz=RATE)
        )
        recognition = Recognition(
            SpeechRecognizerServiceStub(channel),
            settings.section("orchestrator", OrchestratorSettings),
            config,
            ticks,
            listener,
        )
        await recognition.start()
        try:
            yield recognition, listener
        finally:
            await recognition.close()
            for leave in leaves:
                leave()


async def say(
    recognition: Recognition, samples: Samples, first_sample: int, echo: Sequence[float] = (0.0,)
) -> int:
    """Say it frame by frame, with these likelihoods of echo in turn; the sample after it."""
    for number in range(len(samples) // FRAME):
        chunk = common_pb2.AudioChunk(
            audio=samples[number * FRAME : (number + 1) * FRAME].tobytes(),
            first_sample=first_sample,
            echo=common_pb2.EchoEvidence(likelihood=echo[number % len(echo)]),
        )
        await recognition.audio(chunk)
        first_sample += FRAME
    return first_sample


async def flushed(recognition: Recognition, ears: CountingEars) -> list[int]:
    recognition.end_of_utterance(common_pb2.EndOfUtterance())
    async with asyncio.timeout(10):
        await ears.ended.wait()
    return ears.frames


async def test_an_onset_goes_at_once_and_brings_the_silence_before_it() -> None:
    ears = CountingEars(turn_at=0)
    async with microphone(ears) as (recognition, _):
        sample = await say(recognition, noise(20, 8), 0)
        sample = await say(recognition, noise(2000, 3), sample)
        await say(recognition, noise(20, 8), sample)
        # Four frames after the last loud one are less than 100 ms; the others wait.
        assert await flushed(recognition, ears) == [8 + 1, 1, 1] + [1] * 4 + [4]


async def test_within_a_turn_sound_waits_and_a_pause_goes_at_once() -> None:
    ears = CountingEars(turn_at=10)
    async with microphone(ears) as (recognition, listener):
        sample = await say(recognition, noise(20, 8), 0)
        sample = await say(recognition, noise(2000, 2), sample)
        async with asyncio.timeout(10):
            await listener.began.wait()
        sample = await say(recognition, noise(2000, 4), sample)
        await say(recognition, noise(20, 7), sample)
        # What was gathered goes with the first frame of the pause, each later one by itself.
        assert await flushed(recognition, ears) == [9, 1, 4 + 4 + 1, 1, 1]


async def test_a_gap_shorter_than_a_pause_is_still_speech() -> None:
    ears = CountingEars(turn_at=0)
    async with microphone(ears) as (recognition, _):
        sample = await say(recognition, noise(20, 2), 0)
        both = np.concatenate([noise(2000), noise(20, 3), noise(2000)])
        await say(recognition, both, sample)
        assert await flushed(recognition, ears) == [3, 1, 1, 1, 1]


@pytest.mark.parametrize(
    ("likelihoods", "whole"),
    [
        pytest.param([0.95], 0.95, id="the robot alone"),
        pytest.param([0.3, 0.95, 0.95], 0.3, id="the user first"),
        pytest.param([0.95, 0.95, 0.3], 0.3, id="the user last"),
    ],
)
async def test_gathered_sound_is_echo_only_if_all_of_it_is(
    likelihoods: Sequence[float], whole: float
) -> None:
    ears = CountingEars(turn_at=0)
    async with microphone(ears) as (recognition, _):
        await say(recognition, noise(20, 3), 0, likelihoods)
        assert await flushed(recognition, ears) == [3]
    assert ears.echo == [whole]


def heard(level: SoundLevel, samples: Samples) -> list[bool]:
    return [level.process(samples[n : n + FRAME].tobytes()) for n in range(0, len(samples), FRAME)]


@pytest.mark.parametrize("peak", [0, 2, 30, 1000, 10_000])
def test_steady_noise_is_silence_however_loud(peak: int) -> None:
    assert not any(heard(SoundLevel(RATE), noise(peak, 500)))


@pytest.mark.parametrize("offset", [0, 8000])
def test_a_voice_that_is_twice_as_loud_as_the_noise_is_heard(offset: int) -> None:
    level = SoundLevel(RATE)
    assert not any(heard(level, noise(300, 50) + np.int16(offset)))
    assert all(heard(level, noise(700, 5) + np.int16(offset)))


def test_a_fan_that_gets_louder_is_known_as_noise_after_seconds() -> None:
    level = SoundLevel(RATE)
    heard(level, noise(100, 50))
    seconds = 7
    assert all(heard(level, noise(400, 50)))
    heard(level, noise(400, seconds * 50))
    assert not any(heard(level, noise(400, 50)))


def test_a_long_speech_with_pauses_does_not_become_noise() -> None:
    level = SoundLevel(RATE)
    heard(level, noise(20, 50))
    for _ in range(30):
        assert all(heard(level, noise(2000, 45)))
        heard(level, noise(20, 10))
    assert all(heard(level, noise(2000, 5)))
