"""A stream that is not used gives its place back, and says by which setting."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from voicemesh import errors
from voicemesh.grpc_client import open_channel
from voicemesh.v1 import common_pb2
from voicemesh.v1.asr_pb2_grpc import SpeechRecognizerServiceStub

from .speaker import PHRASES, START, Speaker, utterance

Speech = Callable[..., NDArray[np.int16]]
Serving = Callable[..., AbstractAsyncContextManager[str]]
Open = Callable[..., AbstractAsyncContextManager[Any]]

ENGINE = {"asr.engine": "simulated", "asr.simulated.workers": 1, "asr.vad": "webrtc"}


@pytest.fixture
def recognition(serving: Serving) -> Open:
    """``async with recognition(first_message_s=0.1) as stub``: a service with such deadlines."""

    @asynccontextmanager
    async def start(**deadlines: float) -> AsyncIterator[Any]:
        settings = {f"asr.deadlines.{name}": value for name, value in deadlines.items()}
        async with (
            serving("asr", **ENGINE, **settings) as target,
            open_channel(target) as channel,
        ):
            yield SpeechRecognizerServiceStub(channel)

    return start


async def failure_of_heartbeats(speaker: Speaker) -> errors.VoiceMeshError:
    """Send some, and wait: gRPC hides why a stream ended from who still writes."""
    for _ in range(3):
        await speaker.send(heartbeat=common_pb2.Heartbeat(sequence=1))
        while not (await speaker.read()).HasField("heartbeat"):
            pass
    return await speaker.failure()


async def test_the_config_has_to_come_soon(recognition: Open) -> None:
    async with recognition(first_message_s=0.1) as stub:
        failure = await Speaker(stub).failure()
    assert isinstance(failure, errors.DeadlineExceeded)
    assert "within 0.1 s" in failure.message
    assert "asr.deadlines.first_message_s" in failure.message


async def test_a_client_that_says_nothing_counts_as_gone(recognition: Open) -> None:
    async with recognition(client_silence_s=0.1) as stub:
        speaker = Speaker(stub)
        await speaker.start()
        failure = await speaker.failure()
    assert isinstance(failure, errors.DeadlineExceeded)
    assert "for 0.1 s, not even a heartbeat" in failure.message
    assert "asr.deadlines.client_silence_s" in failure.message


async def test_heartbeats_alone_hold_no_place(recognition: Open) -> None:
    async with recognition(heartbeats_only_s=0.2) as stub:
        speaker = Speaker(stub)
        await speaker.start()
        failure = await failure_of_heartbeats(speaker)
    assert isinstance(failure, errors.DeadlineExceeded)
    assert "asr.deadlines.heartbeats_only_s" in failure.message


async def test_a_turn_whose_sound_has_stopped_holds_no_recogniser(
    recognition: Open, flite_speech: Speech
) -> None:
    async with recognition(sound_within_turn_s=0.2) as stub:
        speaker = Speaker(stub)
        await speaker.start()
        await speaker.audio(utterance(flite_speech(PHRASES[0]), tail_s=0))
        assert (await speaker.read()).turn_event.type == START
        failure = await failure_of_heartbeats(speaker)
    assert isinstance(failure, errors.DeadlineExceeded)
    assert "asr.deadlines.sound_within_turn_s" in failure.message


async def test_silence_as_a_duration_is_use(recognition: Open) -> None:
    async with recognition(heartbeats_only_s=0.2, sound_within_turn_s=0.1) as stub:
        silent, beating = Speaker(stub), Speaker(stub)
        await silent.start()
        await beating.start()
        ended = asyncio.ensure_future(failure_of_heartbeats(beating))
        while not ended.done():  # As long as the other one lives.
            await silent.silence(160)
            await silent.send(heartbeat=common_pb2.Heartbeat(sequence=1))
            assert (await silent.read()).HasField("heartbeat")
        assert isinstance(await ended, errors.DeadlineExceeded)
        assert await silent.finish() == []
