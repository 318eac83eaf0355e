"""The sophon-llm engine behind the running service, over gRPC, on the vendor's simulator."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import grpc.aio
import pytest
import pytest_asyncio

from voicemesh.errors import from_rpc
from voicemesh.server import Server
from voicemesh.settings import load
from voicemesh.v1 import common_pb2, llm_pb2, operations_pb2
from voicemesh.v1.llm_pb2_grpc import LanguageModelServiceStub
from voicemesh.v1.operations_pb2_grpc import OperationsServiceStub
from voicemesh_llm.service import SPEC
from voicemesh_sophon.owner_process import OwnerProcess

ASSETS = Path(__file__).parents[1] / "sophon/assets/llm"
EXPECTED = json.loads((ASSETS / "expected.json").read_text())
SYSTEM = EXPECTED["system"]
TALKS: dict[str, list[list[str]]] = {t["name"]: t["turns"] for t in EXPECTED["conversations"]}
FUSED = "bm1688/tiny-assistant_f16_seq256_2core_static"
JOINED = "bm1688/tiny-assistant_w4bf16_seq512_2core_history"
STAMP = common_pb2.Stamp(epoch=1, turn=1)
pytestmark = pytest.mark.asyncio(loop_scope="module")


@asynccontextmanager
async def running(owner: OwnerProcess, name: str, self_test: bool = True) -> AsyncIterator[str]:
    """The service with a model; its target."""
    flags = {
        "llm.port": "0",
        "llm.metrics_port": "-1",
        "llm.drain_grace_s": "0.2",
        "llm.engine": "sophon-llm",
        "llm.first_token_timeout_s": "100",
        "llm.sophon_llm.model": str(ASSETS / f"{name}.bmodel"),
        "llm.sophon_llm.tokenizer": str(ASSETS / "config"),
        "llm.sophon_llm.self_test": str(self_test),
        "devices.backend": "cmodel",
        "devices.simulated_chip": "bm1688",
        "devices.socket_folder": str(owner.placement("llm").socket.parent),
    }
    server = Server(SPEC.factory(load(environ={}, flags=flags)))
    try:
        await server.start()
        yield f"127.0.0.1:{server.port}"
    finally:
        await server.stop()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def target(chip_owner: Any) -> AsyncIterator[str]:
    async with running(chip_owner("bm1688"), JOINED) as address:
        yield address


def request(*turns: str, conversation: str = "c", **fields: Any) -> llm_pb2.GenerateRequest:
    """A system prompt and ``turns``, which begin with the person."""
    roles = (llm_pb2.ROLE_USER, llm_pb2.ROLE_ASSISTANT)
    told = [(llm_pb2.ROLE_SYSTEM, SYSTEM), *((roles[i % 2], t) for i, t in enumerate(turns))]
    messages = [
        llm_pb2.ChatMessage(role=role, parts=[llm_pb2.ContentPart(text=text)])
        for role, text in told
    ]
    generation = llm_pb2.GenerationRequest(
        messages=messages, conversation_id=conversation, **fields
    )
    return llm_pb2.GenerateRequest(stamp=STAMP, generation=generation)


@asynccontextmanager
async def generating(target: str, first: llm_pb2.GenerateRequest) -> AsyncIterator[Any]:
    async with grpc.aio.insecure_channel(target) as channel:
        call = LanguageModelServiceStub(channel).Generate()
        await call.write(first)
        yield call


async def ask(target: str, *turns: str, **fields: Any) -> tuple[str, Any]:
    """The reply and how it ended."""
    async with generating(target, request(*turns, **fields)) as call:
        await call.done_writing()
        responses = [response async for response in call]
    return "".join(r.delta.text for r in responses), responses[-1].finished


async def refused(target: str, *turns: str, **fields: Any) -> Any:
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await ask(target, *turns, **fields)
    return from_rpc(raised.value, common_pb2.STAGE_LLM)


async def test_a_talk_of_two_turns_uses_its_cache(target: str) -> None:
    (question, answer), (more, further) = TALKS["more3"]
    said, first = await ask(target, question, conversation="two")
    assert said == answer
    assert first.finish_reason == llm_pb2.FINISH_REASON_STOP
    said, second = await ask(target, question, answer, more, conversation="two")
    assert said == further
    usage = second.usage
    assert usage.cached_tokens >= first.usage.prompt_tokens + first.usage.completion_tokens
    assert usage.prompt_tokens > usage.cached_tokens
    assert usage.completion_tokens > 3
    timings = second.timings
    assert 0 < timings.queued_us <= timings.first_token_us <= timings.total_us


async def test_the_first_question_finds_the_persona_cached(chip_owner: Any) -> None:
    async with running(chip_owner("bm1688"), JOINED, self_test=False) as fresh:
        first = request("Hello!", conversation="new")
        del first.generation.messages[0]  # The service's own persona leads.
        async with generating(fresh, first) as call:
            await call.done_writing()
            finished = [response async for response in call][-1].finished
    assert finished.usage.cached_tokens > finished.usage.prompt_tokens / 2


async def test_chinese_and_emoji_come_whole(target: str) -> None:
    question, answer = TALKS["q14"][0]
    assert (await ask(target, question))[0] == answer


async def test_a_cancelled_reply_stops_and_the_next_one_is_right(target: str) -> None:
    story = TALKS["q07"][0][0]
    async with generating(target, request(story, conversation="cut")) as call:
        heard = ""
        while len(heard) < 8:
            heard += (await call.read()).delta.text
        await call.write(llm_pb2.GenerateRequest(stamp=STAMP, cancel=llm_pb2.CancelGeneration()))
        await call.done_writing()
        while not (response := await call.read()).HasField("finished"):
            assert response.HasField("delta")
    assert response.finished.finish_reason == llm_pb2.FINISH_REASON_CANCELLED
    said, finished = await ask(target, story, conversation="cut", max_output_tokens=10)
    assert TALKS["q07"][0][1].startswith(said)
    assert len(said) > len(heard) > 0
    assert finished.finish_reason == llm_pb2.FINISH_REASON_LENGTH
    assert finished.usage.cached_tokens > 20


async def test_a_client_that_goes_away_frees_the_chip(target: str) -> None:
    async with generating(target, request(TALKS["q07"][0][0])) as call:
        await call.read()
        call.cancel()
    question, answer = TALKS["q12"][0]
    assert (await ask(target, question))[0] == answer


async def test_replies_at_once_do_not_mix(target: str) -> None:

    talks = [TALKS[name][0] for name in ("q03", "q12", "q06")]
    replies = await asyncio.gather(
        *(ask(target, q, conversation=f"at-once-{i}") for i, (q, _) in enumerate(talks))
    )
    assert [said for said, _ in replies] == [answer for _, answer in talks]


async def test_a_question_too_long_is_refused_and_the_next_is_answered(target: str) -> None:
    error = await refused(target, "why " * 800)
    assert error.field == "generation.messages"
    assert f"a longer sequence than the 512 of {Path(JOINED).name}" in error.message
    question, answer = TALKS["q12"][0]
    assert (await ask(target, question))[0] == answer


async def test_the_service_tells_what_it_serves(target: str) -> None:
    async with grpc.aio.insecure_channel(target) as channel:
        told = await OperationsServiceStub(channel).Describe(operations_pb2.DescribeRequest())
    assert told.engine == "sophon-llm"
    assert told.model == Path(JOINED).name
    assert told.language_model.context_tokens == 512
    assert told.language_model.speculative


async def test_a_fused_head_refuses_a_temperature(chip_owner: Any) -> None:
    async with running(chip_owner("bm1688"), FUSED, self_test=False) as fused:
        error = await refused(fused, "Hello.", sampling=llm_pb2.SamplingOptions(temperature=0.7))
        assert error.code == common_pb2.ERROR_CODE_UNSUPPORTED
        assert error.field == "generation.sampling.temperature"
        said, finished = await ask(
            fused, TALKS["q06"][0][0], sampling=llm_pb2.SamplingOptions(temperature=0)
        )
        assert said == TALKS["q06"][0][1]
        assert finished.usage.prompt_tokens > 20
