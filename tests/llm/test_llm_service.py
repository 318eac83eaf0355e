from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import grpc.aio
import pytest

from voicemesh.errors import from_rpc
from voicemesh.registry import installed
from voicemesh.server import Server
from voicemesh.settings import load
from voicemesh.v1 import common_pb2, llm_pb2, operations_pb2
from voicemesh.v1.llm_pb2_grpc import LanguageModelServiceStub
from voicemesh.v1.operations_pb2_grpc import OperationsServiceStub

from .requests import (
    HI,
    STAMP,
    Serving,
    ask,
    assistant,
    cancel,
    openai,
    read_all,
    refused,
    request,
    stub,
    text,
    until,
    user,
)


async def test_a_question_is_answered_with_the_requests_stamp(serving: Serving) -> None:
    async with serving("llm") as target:
        responses = await ask(target, request(user("what is artificial intelligence")))
    kinds = [response.WhichOneof("generate_response") for response in responses]
    assert (kinds[0], kinds[-1]) == ("started", "finished")
    assert set(kinds[1:-1]) == {"delta"}
    assert all(response.stamp == STAMP for response in responses)
    assert responses[0].started.engine == "scripted"
    assert [x.language_code for x in responses[0].started.capabilities.languages] == ["en", "zh"]
    assert text(responses).startswith("Artificial intelligence is the science")
    finished = responses[-1].finished
    assert finished.finish_reason == llm_pb2.FINISH_REASON_STOP
    assert finished.usage.prompt_tokens > 0
    assert finished.usage.completion_tokens > 20
    timings = finished.timings
    assert 0 < timings.queued_us <= timings.first_token_us <= timings.total_us
    # The first word at once, then by clauses: far fewer messages than words.
    assert responses[1].delta.text == "Artificial "
    assert kinds.count("delta") < len(text(responses).split()) / 2


async def test_the_stream_ends_well_without_a_half_close(serving: Serving) -> None:
    async with serving("llm") as target, stub(target) as service:
        call = service.Generate()
        await call.write(request(user("你好")))
        assert "你好" in text(await read_all(call))
        assert await call.code() == grpc.StatusCode.OK


async def test_cancel_ends_the_reply_and_frees_the_model_server(
    serving: Serving, model_server: Any, make_chunk: Callable[..., str]
) -> None:
    data = f"data: {make_chunk({'content': 'Well'})}\n\n"
    model_server.answer = model_server.lines(data, hold=True)
    async with serving("llm", **openai(model_server)) as target, stub(target) as service:
        call = service.Generate()
        await call.write(request(HI))
        assert (await until(call, "delta")).delta.text == "Well"
        # A cancel of an older turn is dropped; a heartbeat after it is answered.
        await call.write(cancel(common_pb2.Stamp(epoch=3, turn=1)))
        await call.write(llm_pb2.GenerateRequest(heartbeat=common_pb2.Heartbeat(sequence=5)))
        echo = await until(call, "heartbeat")
        assert (echo.heartbeat.sequence, echo.heartbeat.echo) == (5, True)
        assert not model_server.closed_by_client.is_set()
        await call.write(cancel())
        finished = (await until(call, "finished")).finished
        assert finished.finish_reason == llm_pb2.FINISH_REASON_CANCELLED
        assert finished.usage.completion_tokens == 1
        assert await call.read() is grpc.aio.EOF
        assert await call.code() == grpc.StatusCode.OK
        await model_server.closed_by_client.wait()


async def test_a_client_that_vanishes_frees_its_slot_and_the_model_server(
    serving: Serving, model_server: Any, make_chunk: Callable[..., str]
) -> None:
    data = f"data: {make_chunk({'content': 'Well'})}\n\n"
    model_server.answer = model_server.lines(data, hold=True)
    flags = openai(model_server, **{"llm.max_concurrent_streams": "1"})
    async with serving("llm", **flags) as target:
        async with stub(target) as service:
            call = service.Generate()
            await call.write(request(HI))
            await until(call, "delta")
            call.cancel()
            await model_server.closed_by_client.wait()
        model_server.answer = model_server.events(make_chunk({"content": "Next"}, "stop"))
        assert text(await ask(target, request(HI))) == "Next"


async def test_a_half_close_does_not_cut_the_reply(
    serving: Serving, model_server: Any, make_chunk: Callable[..., str]
) -> None:
    model_server.answer = model_server.lines(
        f"data: {make_chunk({'content': 'Well.'}, 'stop')}\n\n", "data: [DONE]\n\n"
    )
    async with serving("llm", **openai(model_server)) as target:
        assert text(await ask(target, request(HI))) == "Well."


async def test_one_stream_more_than_there_are_slots_is_busy_at_once(
    serving: Serving, model_server: Any, make_chunk: Callable[..., str]
) -> None:
    data = f"data: {make_chunk({'content': 'Well'})}\n\n"
    model_server.answer = model_server.lines(data, hold=True)
    flags = openai(model_server, **{"llm.max_concurrent_streams": "1"})
    async with serving("llm", **flags) as target, stub(target) as service:
        call = service.Generate()
        await call.write(request(HI))
        await until(call, "delta")
        error = await refused(target, request(HI))
        assert error.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
        assert from_rpc(error, common_pb2.STAGE_LLM).retry_after_ms > 0
        await call.write(cancel())
        await until(call, "finished")


async def test_streams_do_not_mix(
    serving: Serving, model_server: Any, make_chunk: Callable[..., str]
) -> None:
    async def echo(web_request: Any) -> Any:
        asked = (await web_request.json())["messages"][-1]["content"]
        pieces = [make_chunk({"content": f"{asked} "}) for _ in range(50)]
        answer = model_server.events(*pieces, make_chunk({}, "stop"))
        return await answer(web_request)

    model_server.answer = echo
    async with serving("llm", **openai(model_server)) as target:
        names = [f"name{n}" for n in range(8)]
        replies = await asyncio.gather(*(ask(target, request(user(name))) for name in names))
    for name, reply in zip(names, replies, strict=True):
        assert text(reply) == f"{name} " * 50


async def test_stop_strings_are_enforced_where_the_server_ignores_them(
    serving: Serving, model_server: Any, make_chunk: Callable[..., str]
) -> None:
    chunks = [make_chunk({"content": piece}) for piece in ("Yes", ".\nUs", "er: more", " text")]
    model_server.answer = model_server.events(*chunks, make_chunk({}, "stop"))
    flags = openai(model_server, **{"llm.stop": '["\\nRobot:"]'})
    async with serving("llm", **flags) as target:
        responses = await ask(target, request(HI, stop=["\nUser:"]))
        assert model_server.bodies[0]["stop"] == ["\nUser:", "\nRobot:"]
    assert text(responses) == "Yes."
    assert responses[-1].finished.finish_reason == llm_pb2.FINISH_REASON_STOP


async def test_tool_calls_and_usage_reach_the_client(
    serving: Serving, model_server: Any, make_chunk: Callable[..., str], make_usage_chunk: Any
) -> None:
    call = {"index": 0, "id": "a", "function": {"name": "turn", "arguments": '{"by": 90}'}}
    model_server.answer = model_server.events(
        make_chunk({"content": "Turning"}),
        make_chunk({"tool_calls": [call]}),
        make_chunk({}, "tool_calls"),
        make_usage_chunk(20, 16, 5),
    )
    tool = llm_pb2.Tool(name="turn", parameters_json_schema='{"type": "object"}')
    async with serving("llm", **openai(model_server)) as target:
        responses = await ask(target, request(HI, tools=[tool]))
    called = next(r.tool_call for r in responses if r.HasField("tool_call"))
    assert (called.tool_call_id, called.name, called.arguments_json) == ("a", "turn", '{"by": 90}')
    finished = responses[-1].finished
    assert finished.finish_reason == llm_pb2.FINISH_REASON_TOOL_CALLS
    usage = finished.usage
    assert (usage.prompt_tokens, usage.cached_tokens, usage.completion_tokens) == (20, 16, 5)


@pytest.mark.parametrize(
    ("phrase", "confirmation"),
    [("Please start over.", "start over"), ("重新开始吧", "重新开始")],
)
@pytest.mark.parametrize("engine", ["scripted", "openai"])
async def test_reset_phrases_are_answered_by_the_service_for_every_engine(
    phrase: str, confirmation: str, engine: str, serving: Serving, model_server: Any
) -> None:
    flags = openai(model_server) | {"llm.engine": engine}
    async with serving("llm", **flags) as target:
        responses = await ask(target, request(user("hi"), assistant("hello"), user(phrase)))
        assert confirmation in text(responses)
        assert responses[-1].finished.history_reset
        other = await ask(target, request(user("one plus two"))) if engine == "scripted" else []
        assert not any(response.finished.history_reset for response in other)
    assert model_server.bodies == []


async def test_the_model_gets_a_persona_and_a_bounded_history(
    serving: Serving, model_server: Any, make_chunk: Callable[..., str]
) -> None:
    model_server.answer = model_server.events(make_chunk({"content": "x"}, "stop"))
    history = [m for n in range(12) for m in (user(f"q{n}"), assistant(f"a{n}"))]
    history[-1].interrupted = True
    async with serving("llm", **openai(model_server)) as target:
        responses = await ask(target, request(*history, user("现在呢"), language_code="zh"))
    assert responses[-1].finished.dropped_messages == 4
    sent = model_server.bodies[0]["messages"]
    assert sent[0]["role"] == "system"
    assert "语音助手" in sent[0]["content"]
    assert [m["content"] for m in sent[1:3]] == ["q2", "a2"]
    assert sent[-2]["content"] == "a11 — (interrupted here)"
    assert sent[-1]["content"] == "现在呢"
    assert model_server.bodies[0]["max_tokens"] == 512


@pytest.mark.parametrize(
    ("said", "setting"),
    [([], "llm.first_token_timeout_s"), (["Well"], "llm.total_timeout_s")],
)
async def test_a_reply_that_takes_too_long_ends_with_deadline_exceeded(
    said: list[str],
    setting: str,
    serving: Serving,
    model_server: Any,
    make_chunk: Callable[..., str],
) -> None:
    pieces = [f"data: {make_chunk({'content': word})}\n\n" for word in said]
    model_server.answer = model_server.lines(*pieces, hold=True)
    async with serving("llm", **openai(model_server, **{setting: "0.2"})) as target:
        error = await refused(target, request(HI))
        assert error.code() == grpc.StatusCode.DEADLINE_EXCEEDED
        assert setting in str(error.details())
        await model_server.closed_by_client.wait()


async def test_a_stream_that_asks_nothing_is_ended(serving: Serving) -> None:
    flags = {"llm.request_timeout_s": "0.05"}
    async with serving("llm", **flags) as target, stub(target) as service:
        call = service.Generate()
        with pytest.raises(grpc.aio.AioRpcError, match="no request came"):
            await read_all(call)


async def test_errors_of_the_model_server_cross_the_wire(
    serving: Serving, model_server: Any, make_chunk: Callable[..., str]
) -> None:
    async with serving("llm", **openai(model_server)) as target:
        model_server.answer = model_server.failure(429, {"error": {"message": "full"}})
        assert (await refused(target, request(HI))).code() == grpc.StatusCode.RESOURCE_EXHAUSTED
        frame = json.dumps({"error": {"message": "boom"}})
        model_server.answer = model_server.events(make_chunk({"content": "Well"}), frame)
        error = await refused(target, request(HI))
        assert error.code() == grpc.StatusCode.INTERNAL
        assert "boom" in str(error.details())
        model_server.answer = model_server.events(make_chunk({"content": "ok"}, "stop"))
        assert text(await ask(target, request(HI))) == "ok"


async def test_describe_and_live_turns_show_the_service(
    serving: Serving, model_server: Any, make_chunk: Callable[..., str]
) -> None:
    data = f"data: {make_chunk({'content': 'Well'})}\n\n"
    model_server.answer = model_server.lines(data, hold=True)
    async with (
        serving("llm", **openai(model_server)) as target,
        grpc.aio.insecure_channel(target) as channel,
    ):
        operations = OperationsServiceStub(channel)
        described = await operations.Describe(operations_pb2.DescribeRequest())
        assert (described.engine, described.model) == ("openai", "test-model")
        assert described.slots.total == 16
        assert described.language_model.context_tokens == 2048
        assert described.language_model.tools
        service: Any = LanguageModelServiceStub(channel)
        call = service.Generate()
        await call.write(request(HI))
        await until(call, "delta")
        (turn,) = (await operations.ListTurns(operations_pb2.ListTurnsRequest())).turns
        assert (turn.conversation_id, turn.stamp, turn.phase) == ("c", STAMP, "speaking")
        await call.write(cancel())
        await until(call, "finished")


async def test_a_drain_tells_live_streams_and_lets_them_finish(
    model_server: Any, make_chunk: Callable[..., str]
) -> None:
    pieces = [f"data: {make_chunk({'content': 'Well'})}\n\n"]
    ending = [f"data: {make_chunk({'content': ' done.'}, 'stop')}\n\n", "data: [DONE]\n\n"]

    async def in_two_halves(web_request: Any) -> Any:
        response = await model_server.lines(*pieces, hold=True)(web_request)
        for piece in ending:
            await response.write(piece.encode())
        return response

    model_server.answer = in_two_halves
    flags = openai(model_server, **{"llm.port": "0", "llm.metrics_port": "-1"})
    server = Server(installed("voicemesh.services")["llm"].factory(load(environ={}, flags=flags)))
    await server.start()
    async with stub(f"127.0.0.1:{server.port}") as service:
        call = service.Generate()
        await call.write(request(HI))
        await until(call, "delta")
        stopping = asyncio.ensure_future(server.stop())
        drain = await until(call, "drain")
        assert drain.drain.grace_ms > 0
        error = await refused(f"127.0.0.1:{server.port}", request(HI))
        assert error.code() == grpc.StatusCode.UNAVAILABLE
        model_server.released.set()
        assert (await until(call, "delta")).delta.text == " done."
        await until(call, "finished")
        await stopping
