"""What the tests say to a language model service, and how they read its answers."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, cast

import grpc.aio
import pytest

from voicemesh.v1 import common_pb2, llm_pb2
from voicemesh.v1.llm_pb2_grpc import LanguageModelServiceStub

STAMP = common_pb2.Stamp(epoch=3, turn=2, revision=1, attempt=0)
Serving = Callable[..., Any]
Call = Any


def message(role: llm_pb2.Role.ValueType, *texts: str, **more: Any) -> llm_pb2.ChatMessage:
    return llm_pb2.ChatMessage(
        role=role, parts=[llm_pb2.ContentPart(text=text) for text in texts], **more
    )


def user(text: str) -> llm_pb2.ChatMessage:
    return message(llm_pb2.ROLE_USER, text)


def assistant(text: str) -> llm_pb2.ChatMessage:
    return message(llm_pb2.ROLE_ASSISTANT, text)


def request(*messages: llm_pb2.ChatMessage, **more: Any) -> llm_pb2.GenerateRequest:
    fields = {"conversation_id": "c"} | more
    generation = llm_pb2.GenerationRequest(messages=messages, **fields)
    return llm_pb2.GenerateRequest(stamp=STAMP, generation=generation)


def cancel(stamp: common_pb2.Stamp = STAMP) -> llm_pb2.GenerateRequest:
    return llm_pb2.GenerateRequest(stamp=stamp, cancel=llm_pb2.CancelGeneration(reason="barge-in"))


@asynccontextmanager
async def stub(target: str) -> AsyncIterator[Any]:
    async with grpc.aio.insecure_channel(target) as channel:
        yield LanguageModelServiceStub(channel)


async def read_all(call: Call) -> list[llm_pb2.GenerateResponse]:
    return [response async for response in call]


async def ask(target: str, first: llm_pb2.GenerateRequest) -> list[llm_pb2.GenerateResponse]:
    async with stub(target) as service:
        call = service.Generate()
        await call.write(first)
        await call.done_writing()
        return await read_all(call)


async def refused(target: str, *requests: llm_pb2.GenerateRequest) -> grpc.aio.AioRpcError:
    async with stub(target) as service:
        call = service.Generate(iter(requests))
        with pytest.raises(grpc.aio.AioRpcError) as raised:
            await read_all(call)
        return raised.value


def text(responses: list[llm_pb2.GenerateResponse]) -> str:
    return "".join(response.delta.text for response in responses)


def openai(model_server: Any, **more: Any) -> dict[str, Any]:
    return {"llm.engine": "openai", "llm.openai.base_url": model_server.base_url} | more


async def until(call: Call, kind: str) -> llm_pb2.GenerateResponse:
    """The next response of a kind."""
    while True:
        response: Any = await call.read()
        assert response is not grpc.aio.EOF, f"the stream ended before {kind}"
        if response.WhichOneof("generate_response") == kind:
            return cast(llm_pb2.GenerateResponse, response)


HI = user("hi")
