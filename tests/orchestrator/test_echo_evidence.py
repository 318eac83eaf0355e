"""What a robot says of its own voice reaches the recogniser.

test_microphone_messages tells what becomes of it where frames are gathered.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

import pytest

from voicemesh.audio import Samples
from voicemesh.audio_format import linear16
from voicemesh.errors import VoiceMeshError
from voicemesh.grpc_client import open_channel
from voicemesh.v1 import asr_pb2, common_pb2
from voicemesh.v1.asr_pb2_grpc import SpeechRecognizerServiceStub
from voicemesh_orchestrator.settings import OrchestratorSettings
from voicemesh_orchestrator.upstream.recognition import Recognition
from voicemesh_orchestrator.upstream.send_ticks import SendTicks

RATE = 16_000
FRAME = 320
ECHO, USER = 0.95, 0.3
Speech = Callable[..., Samples]
Serving = Callable[..., AbstractAsyncContextManager[str]]


class Events:
    """What recognition reports."""

    def __init__(self) -> None:
        self.queue: asyncio.Queue[asr_pb2.TurnEvent] = asyncio.Queue()

    def on_turn_event(self, event: asr_pb2.TurnEvent) -> None:
        self.queue.put_nowait(event)

    def recognition_failed(self, error: VoiceMeshError, spoken: bool = False) -> None:
        pytest.fail(str(error))


async def started(target: str, said: Samples, likelihood: float) -> bool:
    """Whether a turn begins where all frames have this likelihood."""
    events = Events()
    async with open_channel(target) as channel:
        recognition = Recognition(
            SpeechRecognizerServiceStub(channel),
            OrchestratorSettings(asr_target=target),
            asr_pb2.StreamingRecognitionConfig(audio_format=linear16(RATE)),
            SendTicks(0.1),
            events,
        )
        await recognition.start()
        for first in range(0, len(said) - FRAME + 1, FRAME):
            await recognition.audio(
                common_pb2.AudioChunk(
                    audio=said[first : first + FRAME].tobytes(),
                    first_sample=first,
                    echo=common_pb2.EchoEvidence(likelihood=likelihood),
                )
            )
        end = len(said) // FRAME * FRAME
        recognition.silence(common_pb2.SilenceChunk(first_sample=end, sample_count=RATE))
        recognition.end_of_utterance(common_pb2.EndOfUtterance(sample=end + RATE))
        seen: list[asr_pb2.TurnEventType.ValueType] = []
        async with asyncio.timeout(20):
            while asr_pb2.TURN_EVENT_TYPE_END_OF_TURN not in seen:
                seen.append((await events.queue.get()).type)
        await recognition.close()
    return asr_pb2.TURN_EVENT_TYPE_START_OF_TURN in seen


@pytest.mark.parametrize(
    ("likelihood", "begins"),
    [
        pytest.param(ECHO, False, id="the robot alone"),
        pytest.param(USER, True, id="the user alone"),
    ],
)
async def test_the_robots_own_voice_begins_no_turn(
    serving: Serving, flite_speech: Speech, likelihood: float, begins: bool
) -> None:
    async with serving("asr", **{"asr.engine": "simulated"}) as target:
        said = flite_speech("what time is it")
        assert await started(target, said, likelihood) is begins
