from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, cast

import grpc
import pytest

from voicemesh.aio import TaskSet
from voicemesh.channels import open_channel
from voicemesh.v1 import common_pb2, llm_pb2
from voicemesh.v1.llm_pb2_grpc import LanguageModelServiceStub
from voicemesh_orchestrator.early_stream import Call, EarlyStream

from ..conftest import Serving

QUESTION = llm_pb2.GenerateRequest(
    stamp=common_pb2.Stamp(epoch=1, turn=1),
    generation=llm_pb2.GenerationRequest(
        conversation_id="early",
        messages=[
            llm_pb2.ChatMessage(
                role=llm_pb2.ROLE_USER, parts=[llm_pb2.ContentPart(text="Are you there?")]
            )
        ],
    ),
)


class Listed:
    """The stub of a model service; it remembers the streams that were opened."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._stub = LanguageModelServiceStub(channel)
        self.calls: list[Call] = []

    def Generate(self, wait_for_ready: bool) -> Call:
        call = self._stub.Generate(wait_for_ready=wait_for_ready)
        self.calls.append(call)
        return call


@asynccontextmanager
async def early_streams(serving: Serving) -> AsyncIterator[tuple[EarlyStream, Listed]]:
    settings: dict[str, Any] = {"llm.engine": "simulated", "llm.simulated.first_token_ms": 0}
    async with serving("llm", **settings) as target, open_channel(target) as channel:
        stub, closing = Listed(channel), TaskSet()
        early = EarlyStream(cast(Any, stub), closing)
        try:
            yield early, stub
        finally:
            early.discard()
            await closing.finish()


async def first_word(call: Call) -> str:
    await call.write(QUESTION)
    while not (response := cast(llm_pb2.GenerateResponse, await call.read())).HasField("delta"):
        assert response.HasField("started")
    return response.delta.text


@pytest.mark.parametrize("times", [0, 1, 2])
async def test_the_question_goes_out_on_one_stream(serving: Serving, times: int) -> None:
    async with early_streams(serving) as (early, stub):
        for _ in range(times):
            early.open()
        call = early.take()
        assert await first_word(call) == "Artificial"
        assert stub.calls == [call]
        call.cancel()


async def test_each_question_has_a_stream_of_its_own(serving: Serving) -> None:
    async with early_streams(serving) as (early, _):
        early.open()
        first, second = early.take(), early.take()
        assert first is not second
        for call in (first, second):
            assert await first_word(call) == "Artificial"
            call.cancel()


async def test_a_stream_that_is_not_used_ends_well(serving: Serving) -> None:
    async with early_streams(serving) as (early, stub):
        early.open()
        early.discard()
        assert await stub.calls[0].code() == grpc.StatusCode.OK


async def test_a_stream_that_has_died_is_not_asked_on(serving: Serving) -> None:
    async with early_streams(serving) as (early, stub):
        early.open()
        stub.calls[0].cancel()
        assert await stub.calls[0].code() == grpc.StatusCode.CANCELLED
        assert await first_word(early.take()) == "Artificial"
        assert len(stub.calls) == 2
        stub.calls[1].cancel()
