"""Answers that are begun inside the silence, over real services."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import grpc.aio
import numpy as np
import pytest
from prometheus_client import REGISTRY

from voicemesh.audio_format import linear16
from voicemesh.errors import Busy, abort
from voicemesh.grpc_client import open_channel
from voicemesh.v1 import asr_pb2, common_pb2, dialog_pb2, llm_pb2
from voicemesh.v1.llm_pb2_grpc import (
    LanguageModelServiceServicer,
    LanguageModelServiceStub,
    add_LanguageModelServiceServicer_to_server,
)
from voicemesh.v1.operations_pb2 import DescribeRequest
from voicemesh.v1.operations_pb2_grpc import OperationsServiceStub

from .conftest import RATE, Client, Connect, Mesh, Request, config

ONE_SPEAKER = {"asr.moonshine.workers": 1, "llm.engine": "simulated"}
# So long that nothing ends by itself while a test looks at what was begun.
PATIENT = {
    "asr.sentence_end_wait_ms": 1500,
    "asr.clause_end_wait_ms": 1500,
    "asr.no_mark_wait_ms": 1500,
    "asr.unfinished_wait_ms": 1500,
}
SPEAKS = Request(config=config(input_format=linear16(RATE), reply_lead_ms=600_000))
PAUSE = np.zeros(RATE * 3 // 10, dtype=np.int16)
SILENCE = np.zeros(2 * RATE, dtype=np.int16)


def outcomes(outcome: str) -> float:
    value = REGISTRY.get_sample_value("voicemesh_eager_replies_total", {"outcome": outcome})
    return value or 0.0


async def until_eager(client: Client) -> None:
    while True:
        event = (await client.until("turn_event")).turn_event
        if event.type == asr_pb2.TURN_EVENT_TYPE_EAGER_END_OF_TURN:
            return


Asked = Callable[[], AbstractAsyncContextManager[Client]]


@pytest.fixture
def asked(mesh: Mesh, connect: Connect, flite_speech: Any) -> Asked:
    """``async with asked() as client``: of a question that may not be over."""

    @asynccontextmanager
    async def ask() -> AsyncIterator[Client]:
        async with (
            mesh("asr", "llm", "tts", **ONE_SPEAKER, **PATIENT) as target,
            connect(target, SPEAKS) as client,
        ):
            await client.say(np.concatenate([flite_speech("what time is it"), PAUSE]))
            await until_eager(client)
            yield client

    return ask


async def test_the_answer_is_begun_in_the_silence_and_heard_after_it(asked: Asked) -> None:
    used = outcomes("used")
    async with asked() as client:
        await client.say(SILENCE)
        ended = (await client.until("turn_ended")).turn_ended
        assert ended.outcome == dialog_pb2.TURN_OUTCOME_COMPLETED
        assert outcomes("used") == used + 1
        reached = {stage.name: stage.at_us for stage in ended.timeline}
        assert reached["last_voiced"] < reached["question"] < reached["endpoint"]
        assert reached["endpoint"] <= reached["first_audio_sent"]
        kinds = [response.WhichOneof("converse_response") for response in client.seen]
        end_of_turn = next(
            number
            for number, response in enumerate(client.seen)
            if response.turn_event.type == asr_pb2.TURN_EVENT_TYPE_END_OF_TURN
        )
        assert not {"reply_started", "reply_text", "reply_audio"} & set(kinds[:end_of_turn])
        reply = client.seen[end_of_turn + 1]
        assert reply.WhichOneof("converse_response") == "reply_started"
        assert reply.stamp.revision == 1
        text = "".join(part.text for part in client.of("reply_text"))
        assert text.strip() == ended.heard_text


async def test_who_goes_on_after_a_pause_leaves_no_trace_of_what_was_begun(
    asked: Asked, flite_speech: Any
) -> None:
    resumed = outcomes("resumed")
    async with asked() as client:
        await client.say(np.concatenate([flite_speech("what day is today"), SILENCE]))
        started = await client.until("reply_started")
        assert outcomes("resumed") == resumed + 1
        assert started.stamp.revision > 1
        ended = (await client.until("turn_ended")).turn_ended
        assert ended.outcome == dialog_pb2.TURN_OUTCOME_COMPLETED
        assert len(client.of("reply_started")) == len(client.of("turn_ended")) == 1
        # The history has one exchange: the simulated model counts the questions in its prompt.
        audio = [r for r in client.seen if r.WhichOneof("converse_response") == "reply_audio"]
        assert {response.stamp.revision for response in audio} == {started.stamp.revision}
        assert audio[0].reply_audio.chunk.first_sample == 0


async def test_text_that_joins_the_question_makes_the_answer_a_new_one(asked: Asked) -> None:
    changed = outcomes("changed")
    async with asked() as client:
        await client.send(text=dialog_pb2.TypedText(text="in Berlin", with_speech=True))
        await client.say(SILENCE)
        started = await client.until("reply_started")
        assert started.reply_started.question.endswith("in Berlin")
        assert started.stamp.revision == 2
        assert outcomes("changed") == changed + 1
        ended = (await client.until("turn_ended")).turn_ended
        assert ended.outcome == dialog_pb2.TURN_OUTCOME_COMPLETED


async def test_a_model_without_a_place_for_it_is_asked_again_at_the_end(
    serving: Any, mesh: Mesh, connect: Connect, flite_speech: Any
) -> None:
    failed = outcomes("failed")
    slow = {"llm.engine": "simulated", "llm.simulated.first_token_ms": 60_000}
    async with (
        serving("llm", **slow, **{"llm.max_concurrent_streams": 1}) as llm,
        mesh(
            "asr",
            "tts",
            **{"orchestrator.llm_target": llm, "asr.moonshine.workers": 1},
            **PATIENT,
        ) as target,
        connect(target, SPEAKS) as client,
        open_channel(llm) as channel,
    ):
        other = LanguageModelServiceStub(channel).Generate()
        ask = llm_pb2.GenerateRequest
        question = llm_pb2.ChatMessage(
            role=llm_pb2.ROLE_USER, parts=[llm_pb2.ContentPart(text="hello")]
        )
        stamp = common_pb2.Stamp(epoch=1, turn=1)
        request = llm_pb2.GenerationRequest(conversation_id="other", messages=[question])
        await other.write(ask(stamp=stamp, generation=request))
        await other.read()
        await client.say(np.concatenate([flite_speech("what time is it"), PAUSE]))
        await until_eager(client)
        async with asyncio.timeout(30):
            while outcomes("failed") == failed:
                await OperationsServiceStub(channel).Describe(DescribeRequest())
        await other.write(ask(stamp=stamp, cancel=llm_pb2.CancelGeneration(reason="done")))
        while await other.read():  # Until its place is free.
            pass
        await client.say(SILENCE)
        assert (await client.until("reply_started")).stamp.revision == 2
        assert not client.of("error")


async def test_nothing_is_begun_where_it_is_switched_off(
    mesh: Mesh, connect: Connect, flite_speech: Any
) -> None:
    off = {"orchestrator.eager.enabled": False}
    async with (
        mesh("asr", "llm", "tts", **ONE_SPEAKER, **off) as target,
        connect(target, SPEAKS) as client,
    ):
        await client.say(np.concatenate([flite_speech("what time is it"), SILENCE]))
        started = await client.until("reply_started")
        assert started.stamp.revision == 0
        ended = (await client.until("turn_ended")).turn_ended
        reached = {stage.name: stage.at_us for stage in ended.timeline}
        assert reached["endpoint"] <= reached["question"]


class Refusing(LanguageModelServiceServicer):
    """A model that refuses speculative requests, but only when it is told to."""

    def __init__(self) -> None:
        self.refuse = asyncio.Event()
        self.speculative: list[bool] = []

    async def Generate(  # type: ignore[override]  # The stubs know no coroutine that writes.
        self, request_iterator: AsyncIterator[llm_pb2.GenerateRequest], context: Any
    ) -> None:
        request = await anext(request_iterator)
        self.speculative.append(request.generation.speculative)
        if request.generation.speculative:
            await self.refuse.wait()
            await abort(context, Busy("no place for it"), common_pb2.STAGE_LLM)
        for response in (
            llm_pb2.GenerateResponse(started=llm_pb2.GenerationStarted()),
            llm_pb2.GenerateResponse(delta=llm_pb2.TextDelta(text="It is noon.")),
            llm_pb2.GenerateResponse(finished=llm_pb2.GenerationFinished()),
        ):
            response.stamp.CopyFrom(request.stamp)
            await context.write(response)


async def test_a_refusal_that_comes_after_the_end_of_the_turn_does_no_harm(
    mesh: Mesh, connect: Connect, flite_speech: Any
) -> None:
    model = Refusing()
    server = grpc.aio.server()
    add_LanguageModelServiceServicer_to_server(model, server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    target_of_model = {"orchestrator.llm_target": f"127.0.0.1:{port}"}
    async with (
        mesh("asr", "tts", **target_of_model, **{"asr.moonshine.workers": 1}) as target,
        connect(target, SPEAKS) as client,
    ):
        await client.say(np.concatenate([flite_speech("what time is it"), SILENCE]))
        await client.until("reply_started")
        model.refuse.set()
        ended = (await client.until("turn_ended")).turn_ended
        assert ended.outcome == dialog_pb2.TURN_OUTCOME_COMPLETED
        assert ended.heard_text == "It is noon."
        assert model.speculative == [True, False]
    await server.stop(None)
