"""Mistakes of the program itself, and answers that come too late: the conversation lives on."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from voicemesh.errors import VoiceMeshError
from voicemesh.v1 import asr_pb2, common_pb2
from voicemesh.v1 import dialog_pb2 as pb
from voicemesh.v1.asr_pb2_grpc import SpeechRecognizerServiceStub
from voicemesh_orchestrator.upstream.stream import Upstream
from voicemesh_robot.sound.heard import EndOfSpeech

from .network import Context, Network
from .virtual_time import run_in_virtual_time
from .world import ASR, LLM, Circumstances, World, live

QUESTION = "what is the weather"
ANSWER = "It is sunny."


def _answers(_: str) -> str:
    return ANSWER


@pytest.mark.parametrize(
    ("mishaps", "outcome"), [(1, pb.TURN_OUTCOME_COMPLETED), (2, pb.TURN_OUTCOME_FAILED)]
)
def test_an_answer_that_fails_for_no_known_reason_leaves_nobody_waiting(
    mishaps: int, outcome: pb.TurnOutcome.ValueType
) -> None:
    """The first call begins the answer early; nobody has noticed when that fails."""

    async def ask(world: World) -> None:
        world.network.mishaps[LLM] = mishaps
        await world.say(QUESTION)
        await asyncio.sleep(10)
        await world.say(QUESTION)

    world = live(Circumstances(), ask, _answers)
    ended = [told.turn_ended for told in world.wire.of("turn_ended")]
    assert [turn.outcome for turn in ended] == [outcome, pb.TURN_OUTCOME_COMPLETED]
    assert len(world.complaints) == mishaps  # Each is in the log, with its place.


def test_a_transcript_that_comes_when_the_turn_was_given_up_is_not_answered() -> None:
    async def ask(world: World) -> None:
        world.recogniser.final_pass_s = 6  # The deadline is 5 s.
        await world.say(QUESTION)
        await world.robot.conversation.send_heard(EndOfSpeech(0))
        await asyncio.sleep(10)

    world = live(Circumstances(), ask, _answers)
    assert [told.error.code for told in world.wire.of("error")] == [common_pb2.ERROR_CODE_DEADLINE]
    (ended,) = world.wire.of("turn_ended")
    assert ended.turn_ended.outcome == pb.TURN_OUTCOME_FAILED
    assert not world.wire.of("reply_started")


def test_a_stream_whose_news_cannot_be_taken_in_is_lost_at_once() -> None:
    lost: list[VoiceMeshError] = []

    async def serve(requests: AsyncIterator[Any], context: Context) -> None:
        async for _ in requests:
            await context.write(asr_pb2.StreamingRecognizeResponse())

    def take(_: asr_pb2.StreamingRecognizeResponse) -> None:
        raise ValueError("nobody has thought of this")

    async def talk() -> None:
        network = Network(0, 0.0)
        network.serve(ASR, serve)
        request = asr_pb2.StreamingRecognizeRequest
        upstream: Upstream[Any, Any] = Upstream(
            common_pb2.STAGE_ASR,
            "here",
            take,
            lost.append,
            lambda beat: request(heartbeat=beat),
            stall_s=4.0,
        )
        stub = SpeechRecognizerServiceStub(network.channel)
        await upstream.start(stub.StreamingRecognize, request(), 5.0)
        upstream.send(request())
        await asyncio.sleep(1)
        assert not upstream.open
        await upstream.close()

    run_in_virtual_time(talk())
    assert [(error.code, error.stage) for error in lost] == [
        (common_pb2.ERROR_CODE_INTERNAL, common_pb2.STAGE_ASR)
    ]
