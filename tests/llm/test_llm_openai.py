from __future__ import annotations

import asyncio
import base64
import io
import json
import logging
import socket
import wave
from collections.abc import Callable
from contextlib import aclosing, asynccontextmanager
from typing import Any

import pytest

from voicemesh.errors import (
    Busy,
    DeadlineExceeded,
    EngineError,
    Forbidden,
    InvalidArgument,
    NotFound,
    Unavailable,
    VoiceMeshError,
)
from voicemesh_llm.engines.engine import (
    Audio,
    Event,
    Finish,
    Finished,
    Message,
    Prompt,
    Role,
    Sampling,
    TextDelta,
    Tool,
    ToolCall,
    ToolChoice,
    Usage,
)
from voicemesh_llm.engines.openai.engine import OpenAIModel
from voicemesh_llm.engines.openai.server_events import LONGEST_EVENT_BYTES
from voicemesh_llm.engines.openai.settings import OpenAISettings

HELLO = Prompt((Message(Role.USER, ("hello",)),), max_output_tokens=64)
Chunk = Callable[..., str]


@asynccontextmanager
async def loaded(server: Any, **settings: Any) -> Any:
    model = OpenAIModel(OpenAISettings(base_url=server.base_url, **settings))
    await model.load()
    try:
        yield model
    finally:
        await model.close()


async def generate(server: Any, prompt: Prompt = HELLO, **settings: Any) -> list[Event]:
    async with loaded(server, **settings) as model:
        return [event async for event in model.generate(prompt)]


async def collect(server: Any, events: list[Event]) -> None:
    async with loaded(server) as model:
        async for event in model.generate(HELLO):
            events.append(event)


def text(events: list[Event]) -> str:
    return "".join(event.text for event in events if isinstance(event, TextDelta))


async def test_a_stream_with_comments_and_usage_becomes_text(
    model_server: Any, make_chunk: Chunk, make_usage_chunk: Chunk
) -> None:
    model_server.answer = model_server.lines(
        ": ping\n\n",
        f"data: {make_chunk({'role': 'assistant', 'content': ''})}\n\n",
        f"data: {make_chunk({'content': '你好'})}\r\n\r\n",
        f"data:{make_chunk({'content': '!'}, usage=None)}\n\n: ping\n\n",
        f"data: {make_chunk({}, 'stop')}\n\n",
        f"data: {make_usage_chunk(12, 8, 2)}\n\n",
        "data: [DONE]\n\n",
    )
    events = await generate(model_server)
    assert text(events) == "你好!"
    assert events[-1] == Finished(Finish.STOP, Usage(12, 8, 2))


async def test_events_may_be_cut_anywhere(model_server: Any, make_chunk: Chunk) -> None:
    whole = f"data: {make_chunk({'content': 'Yes.'})}\n\ndata: {make_chunk({}, 'length')}\n\n"
    model_server.answer = model_server.lines(*whole, "data: [DONE]")
    events = await generate(model_server)
    assert text(events) == "Yes."
    assert events[-1] == Finished(Finish.LENGTH)


async def test_the_request_carries_what_was_asked_for(model_server: Any, make_chunk: Chunk) -> None:
    model_server.answer = model_server.events(make_chunk({"content": "x"}, "stop"))
    samples = b"\x01\x00" * 160
    prompt = Prompt(
        (
            Message(Role.SYSTEM, ("Be short.",)),
            Message(Role.USER, ("look",)),
            Message(Role.ASSISTANT, (), (ToolCall("c1", "look", '{"far": true}'),)),
            Message(Role.TOOL, ("a wall",), tool_call_id="c1"),
            Message(Role.ASSISTANT, ("There is",), interrupted=True),
            Message(Role.USER, ("and now", Audio(samples, 16_000))),
        ),
        tools=(Tool("look", "Looks ahead.", '{"type": "object"}'), Tool("stop", "", "")),
        tool_choice=ToolChoice.REQUIRED,
        sampling=Sampling(temperature=0.5, top_k=3, seed=7),
        stop=("\n", "a", "b", "c", "d"),
        max_output_tokens=50,
        facts={"battery": "80"},
    )
    extra = {"chat_template_kwargs": {"enable_thinking": False}, "seed": 8}
    await generate(model_server, prompt, extra_body=extra, api_key="secret-key")
    body = model_server.bodies[0]
    assert body["model"] == "test-model"
    assert body["stream"] is True
    assert body["stream_options"] == {"include_usage": True}
    assert body["temperature"] == 0.5
    assert "top_p" not in body
    assert body["top_k"] == 3
    assert body["seed"] == 8
    assert body["stop"] == ["\n", "a", "b", "c"]
    assert body["max_tokens"] == 50
    assert body["chat_template_kwargs"] == {"enable_thinking": False}
    assert body["tool_choice"] == "required"
    assert body["tools"][0]["function"]["parameters"] == {"type": "object"}
    assert body["tools"][1]["function"]["parameters"]["type"] == "object"
    system, _, calls, result, interrupted, last = body["messages"]
    assert system == {"role": "system", "content": "Be short."}
    assert calls["tool_calls"][0]["function"] == {"name": "look", "arguments": '{"far": true}'}
    assert result["tool_call_id"] == "c1"
    assert interrupted["content"].endswith("(interrupted here)")
    assert last["content"][0] == {"type": "text", "text": "[robot reports: battery: 80]\n"}
    sound = last["content"][2]["input_audio"]
    assert sound["format"] == "wav"
    with wave.open(io.BytesIO(base64.b64decode(sound["data"]))) as file:
        assert (file.getframerate(), file.readframes(1000)) == (16_000, samples)
    assert model_server.headers[-1]["Authorization"] == "Bearer secret-key"


async def test_settings_of_old_and_new_servers(model_server: Any, make_chunk: Chunk) -> None:
    model_server.answer = model_server.events(make_chunk({"content": "x"}, "stop"))
    settings: dict[str, Any] = {"max_tokens_field": "max_completion_tokens", "include_usage": False}
    await generate(model_server, model="own", temperature=0.1, **settings)
    body = model_server.bodies[0]
    assert body["max_completion_tokens"] == 64
    assert "max_tokens" not in body
    assert "stream_options" not in body
    assert (body["model"], body["temperature"]) == ("own", 0.1)
    assert "Authorization" not in model_server.headers[-1]


async def test_the_first_listed_model_and_its_context_are_taken(model_server: Any) -> None:
    async with loaded(model_server) as model:
        assert model.model == "test-model"
        assert model.capabilities.context_tokens == 2048


async def test_a_server_that_comes_up_later_is_found_by_the_next_request(
    model_server: Any, make_chunk: Chunk
) -> None:
    model_server.answer = model_server.events(make_chunk({"content": "up"}, "stop"))
    models, model_server.models = model_server.models, []
    async with loaded(model_server) as model:
        with pytest.raises(Unavailable, match="lists no model"):
            await anext(model.generate(HELLO))
        model_server.models = models
        assert text([event async for event in model.generate(HELLO)]) == "up"


async def test_reasoning_is_never_spoken(model_server: Any, make_chunk: Chunk) -> None:
    model_server.answer = model_server.events(
        make_chunk({"reasoning_content": "secret one"}),
        make_chunk({"reasoning": "secret two", "content": None}),
        make_chunk({"content": "<thi"}),
        make_chunk({"content": "nk>secret three</thin"}),
        make_chunk({"content": "k>\n\nFour."}),
        make_chunk({}, "stop"),
    )
    assert text(await generate(model_server)) == "Four."


async def test_reasoning_that_was_opened_by_the_template_is_not_spoken(
    model_server: Any, make_chunk: Chunk
) -> None:
    chunks = (make_chunk({"content": "hm</think>Four."}), make_chunk({}, "stop"))
    model_server.answer = model_server.events(*chunks)
    assert text(await generate(model_server, begins_in_thought=True)) == "Four."


async def test_tool_calls_are_assembled_from_pieces(model_server: Any, make_chunk: Chunk) -> None:
    def piece(index: int, arguments: str, **first: str) -> str:
        name = {"name": first["name"]} if first else {}
        call = {"index": index, "function": {"arguments": arguments} | name}
        return make_chunk({"tool_calls": [call | ({"id": first["id"]} if first else {})]})

    model_server.answer = model_server.events(
        piece(0, "", id="a", name="turn"),
        piece(0, '{"degr'),
        piece(1, "", id="b", name="stop"),
        piece(0, 'ees": 90}'),
        make_chunk({}, "tool_calls"),
    )
    assert await generate(model_server) == [
        ToolCall("a", "turn", '{"degrees": 90}'),
        ToolCall("b", "stop", "{}"),
        Finished(Finish.TOOL_CALLS),
    ]


async def test_a_whole_tool_call_with_finish_stop_is_understood(
    model_server: Any, make_chunk: Chunk
) -> None:
    call = {"function": {"name": "turn", "arguments": {"degrees": 90}}}
    model_server.answer = model_server.events(make_chunk({"tool_calls": [call]}, "stop"))
    events = await generate(model_server)
    assert events == [ToolCall("call_0", "turn", '{"degrees": 90}'), Finished(Finish.TOOL_CALLS)]


@pytest.mark.parametrize(
    ("status", "kind", "cure"),
    [
        (400, InvalidArgument, "extra_body"),
        (401, Forbidden, "llm.openai.api_key"),
        (403, Forbidden, "VOICEMESH_LLM__OPENAI__API_KEY"),
        (404, NotFound, r"one that it serves \(test-model\)"),
        (422, InvalidArgument, "change the request"),
        (429, Busy, "more capacity"),
        (500, Unavailable, "its log tells why"),
        (503, Unavailable, "Try again"),
        (307, EngineError, "base_url"),
    ],
)
async def test_each_refusal_of_the_server_names_its_cure(
    status: int, kind: type[VoiceMeshError], cure: str, model_server: Any
) -> None:
    error = {"error": {"message": "because", "type": "T", "param": None, "code": status}}
    model_server.answer = model_server.failure(status, error, {"Retry-After": "2"})
    with pytest.raises(kind, match=cure) as raised:
        await generate(model_server, model="x")
    assert type(raised.value) is kind
    assert model_server.base_url in str(raised.value)
    assert raised.value.retry_after_ms == (2000 if status == 429 else 0)
    assert len(model_server.bodies) == 1, "nothing is repeated"


@pytest.mark.parametrize("body", ["<html>Bad gateway</html>", "", '"text"', '{"error": "plain"}'])
async def test_errors_in_any_form_are_read(body: str, model_server: Any) -> None:
    model_server.answer = model_server.failure(502, body)
    with pytest.raises(Unavailable, match="502"):
        await generate(model_server)


async def test_the_key_is_never_shown(
    model_server: Any, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level(logging.DEBUG)
    monkeypatch.setenv("SOME_KEY", "sk-very-secret")
    model_server.answer = model_server.failure(400, {"error": {"message": "bad sk-very-secret"}})
    both: list[dict[str, Any]] = [{"api_key": "sk-very-secret"}, {"api_key_env": "SOME_KEY"}]
    for settings in both:
        with pytest.raises(InvalidArgument) as raised:
            await generate(model_server, **settings)
        assert model_server.headers[-1]["Authorization"] == "Bearer sk-very-secret"
        assert "very-secret" not in str(raised.value)
    assert "very-secret" not in repr(OpenAISettings(api_key="sk-very-secret"))
    assert "very-secret" not in caplog.text


async def test_an_error_frame_in_the_middle_is_raised_after_the_text_before_it(
    model_server: Any, make_chunk: Chunk
) -> None:
    frames: list[tuple[type[VoiceMeshError], str, dict[str, int]]] = [
        (EngineError, "out of memory", {}),
        (Busy, "full", {"code": 429}),
    ]
    for kind, message, more in frames:
        frame = json.dumps({"error": {"message": message} | more})
        model_server.answer = model_server.events(make_chunk({"content": "Well"}), frame)
        said: list[Event] = []
        with pytest.raises(kind, match=message):
            await collect(model_server, said)
        assert said == [TextDelta("Well")]


async def test_a_dropped_connection_is_an_error(model_server: Any, make_chunk: Chunk) -> None:
    data = f"data: {make_chunk({'content': 'Well'})}\n\n"
    model_server.answer = model_server.lines(data, drop=True)
    with pytest.raises(Unavailable, match="broke"):
        await generate(model_server)


async def test_a_stream_that_ends_without_a_finish_is_an_error_unless_done_was_said(
    model_server: Any, make_chunk: Chunk
) -> None:
    data = f"data: {make_chunk({'content': 'Well'})}\n\n"
    model_server.answer = model_server.lines(data)
    with pytest.raises(EngineError, match="before the reply was complete"):
        await generate(model_server)
    model_server.answer = model_server.lines(data, "data: [DONE]\n\n")
    assert await generate(model_server) == [TextDelta("Well"), Finished(Finish.STOP)]
    model_server.answer = model_server.events()
    with pytest.raises(EngineError):
        await generate(model_server)


@pytest.mark.parametrize(
    "data", ["not json", "[1]", "[[[[" * 10_000, "x" * (LONGEST_EVENT_BYTES + 1)]
)
async def test_garbage_is_an_error_and_bounded(data: str, model_server: Any) -> None:
    model_server.answer = model_server.events(data)
    with pytest.raises(EngineError):
        await generate(model_server)


async def test_odd_but_harmless_chunks_are_skipped(model_server: Any, make_chunk: Chunk) -> None:
    model_server.answer = model_server.events(
        '{"choices": null}',
        '{"choices": [null]}',
        '{"choices": [{"delta": null}]}',
        '{"choices": [{"delta": {"content": 5, "tool_calls": [3]}}], "usage": 4}',
        make_chunk({"content": "ok"}, "stop"),
    )
    assert text(await generate(model_server)) == "ok"


async def test_an_answer_that_is_no_event_stream_points_at_the_address(model_server: Any) -> None:
    model_server.answer = model_server.failure(200, "<html>hello</html>")
    with pytest.raises(EngineError, match="llm.openai.base_url"):
        await generate(model_server)


async def test_a_server_that_is_not_there_is_unavailable() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        base_url = f"http://127.0.0.1:{unused.getsockname()[1]}/v1"
        model = OpenAIModel(OpenAISettings(base_url=base_url, model="x"))
        await model.load()
        with pytest.raises(Unavailable, match="start it"):
            await anext(model.generate(HELLO))
        await model.close()


async def test_a_server_that_says_nothing_meets_the_deadline(model_server: Any) -> None:
    async def silent(request: Any) -> Any:
        await model_server.released.wait()

    model_server.answer = silent
    with pytest.raises(DeadlineExceeded, match="first_token_timeout_s"):
        await generate(model_server, first_token_timeout_s=0.05)
    await model_server.closed_by_client.wait()


async def test_pings_do_not_put_the_deadline_off(model_server: Any) -> None:
    model_server.answer = model_server.lines(": ping\n\n", hold=True)
    with pytest.raises(DeadlineExceeded, match="llm.openai"):
        await generate(model_server, first_token_timeout_s=0.05)


async def test_a_stalled_reply_meets_its_own_deadline(model_server: Any, make_chunk: Chunk) -> None:
    data = f"data: {make_chunk({'content': 'Well'})}\n\n"
    model_server.answer = model_server.lines(data, hold=True)
    with pytest.raises(DeadlineExceeded, match="between_tokens_timeout_s"):
        await generate(model_server, between_tokens_timeout_s=0.05)


async def test_leaving_a_generation_closes_its_connection(
    model_server: Any, make_chunk: Chunk
) -> None:
    data = f"data: {make_chunk({'content': 'Well'})}\n\n"
    model_server.answer = model_server.lines(data, hold=True)
    async with loaded(model_server) as model:
        async with aclosing(model.generate(HELLO)) as events:
            assert await anext(events) == TextDelta("Well")
        await model_server.closed_by_client.wait()


async def test_cancelling_a_generation_closes_its_connection(model_server: Any) -> None:
    model_server.answer = model_server.lines(hold=True)
    async with loaded(model_server) as model:
        task = asyncio.ensure_future(anext(model.generate(HELLO)))
        await model_server.asked.wait()
        task.cancel()
        await model_server.closed_by_client.wait()
        with pytest.raises(asyncio.CancelledError):
            await task
