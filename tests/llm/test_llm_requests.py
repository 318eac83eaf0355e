"""Requests that no language model service takes."""

from __future__ import annotations

from typing import Any

import grpc
import pytest

from voicemesh.errors import from_rpc
from voicemesh.v1 import common_pb2, llm_pb2

from .requests import (
    HI,
    STAMP,
    Serving,
    ask,
    assistant,
    cancel,
    message,
    openai,
    refused,
    request,
    text,
    user,
)

LONG_STOP = "x" * 65
AUDIO = llm_pb2.ContentPart(audio=llm_pb2.AudioContent(audio=b"\0\0"))
HEARTBEAT = llm_pb2.GenerateRequest(heartbeat=common_pb2.Heartbeat(sequence=1))


def sampled(**options: float) -> llm_pb2.GenerateRequest:
    return request(HI, sampling=llm_pb2.SamplingOptions(**options))  # type: ignore[arg-type]  # options are its fields


@pytest.mark.parametrize(
    ("requests", "field"),
    [
        ([HEARTBEAT], "generation"),
        ([cancel()], "generation"),
        ([llm_pb2.GenerateRequest(stamp=STAMP)], "generation"),
        ([request()], "generation.messages"),
        ([request(HI, assistant("hello"))], "generation.messages[1].role"),
        ([request(message(llm_pb2.ROLE_SYSTEM, "x"))], "generation.messages[0].role"),
        ([request(user(""))], "generation.messages[0].parts"),
        ([request(user(" \n"))], "generation.messages[0].parts"),
        ([request(llm_pb2.ChatMessage(role=llm_pb2.ROLE_USER))], "generation.messages[0].parts"),
        ([request(message(llm_pb2.ROLE_UNSPECIFIED, "x"))], "generation.messages[0].role"),
        ([request(message(99, "x"))], "generation.messages[0].role"),  # type: ignore[arg-type]  # that is the test
        (
            [
                request(
                    llm_pb2.ChatMessage(
                        role=llm_pb2.ROLE_USER, parts=[llm_pb2.ContentPart(), *HI.parts]
                    )
                )
            ],
            "generation.messages[0].parts[0]",
        ),
        (
            [request(llm_pb2.ChatMessage(role=llm_pb2.ROLE_USER, parts=[AUDIO]))],
            "generation.messages[0].parts[0].audio",
        ),
        (
            [request(HI, message(llm_pb2.ROLE_TOOL, "42"))],
            "generation.messages[1].tool_call_id",
        ),
        (
            [request(HI, message(llm_pb2.ROLE_TOOL, "42", tool_call_id="1"))],
            "generation.messages[1]",
        ),
        ([request(HI, tools=[llm_pb2.Tool(name="f")])], "generation.tools"),
        ([request(HI, tool_choice=llm_pb2.TOOL_CHOICE_REQUIRED)], "generation.tool_choice"),
        ([request(HI, tool_choice=9)], "generation.tool_choice"),
        ([request(HI, stop=["a"] * 9)], "generation.stop"),
        ([request(HI, stop=["a", LONG_STOP])], "generation.stop[1]"),
        ([request(HI, stop=[""])], "generation.stop[0]"),
        ([sampled(temperature=2.5)], "generation.sampling.temperature"),
        ([sampled(temperature=float("nan"))], "generation.sampling.temperature"),
        ([sampled(top_p=-0.1)], "generation.sampling.top_p"),
        ([sampled(top_k=-1)], "generation.sampling.top_k"),
        ([sampled(repetition_penalty=0)], "generation.sampling.repetition_penalty"),
        ([request(HI, max_output_tokens=-1)], "generation.max_output_tokens"),
        ([request(HI, language_code="not a tag")], "generation.language_code"),
        ([request(HI, priority=7)], "generation.priority"),
        ([request(HI, conversation_id="c" * 300)], "generation.conversation_id"),
        ([request(HI, facts={" ": "x"})], 'generation.facts[" "]'),
        ([request(user("word " * 20_000))], "generation.messages"),
        ([request(user("word " * 300_000))], "generation.messages[0].parts[0].text"),
    ],
)
async def test_each_malformed_request_is_refused_with_its_field(
    requests: list[llm_pb2.GenerateRequest], field: str, serving: Serving
) -> None:
    async with serving("llm") as target:
        error = await refused(target, *requests)
        assert error.code() == grpc.StatusCode.INVALID_ARGUMENT
        detail = from_rpc(error, common_pb2.STAGE_LLM)
        assert detail.field == field
        assert detail.stage == common_pb2.STAGE_LLM
        assert len(detail.message) > 20
        # The next caller is served.
        assert "plus" in text(await ask(target, request(user("one plus two"))))


async def test_an_unknown_model_is_not_found(serving: Serving) -> None:
    async with serving("llm") as target:
        error = await refused(target, request(HI, model="gpt"))
        assert error.code() == grpc.StatusCode.NOT_FOUND
        assert from_rpc(error, common_pb2.STAGE_LLM).field == "generation.model"


async def test_malformed_tools_and_audio_are_refused_where_the_engine_takes_them(
    serving: Serving, model_server: Any
) -> None:
    def with_audio(rate: int, channels: int, data: bytes, encoding: int = 1) -> Any:
        audio_format = common_pb2.AudioFormat(
            encoding=encoding,  # type: ignore[arg-type]  # an enum's number
            sample_rate_hertz=rate,
            channel_count=channels,
        )
        content = llm_pb2.AudioContent(audio_format=audio_format, audio=data)
        return llm_pb2.ChatMessage(
            role=llm_pb2.ROLE_USER, parts=[llm_pb2.ContentPart(audio=content)]
        )

    tools = [llm_pb2.Tool(name="f"), llm_pb2.Tool(name="f")]
    audio = "generation.messages[0].parts[0].audio"
    cases = [
        (request(HI, tools=tools), "generation.tools[1].name"),
        (request(HI, tools=[llm_pb2.Tool(name="no name")]), "generation.tools[0].name"),
        (
            request(HI, tools=[llm_pb2.Tool(name="f", parameters_json_schema="[1]")]),
            "generation.tools[0].parameters_json_schema",
        ),
        (request(with_audio(16_000, 1, b"\0\0", 0)), f"{audio}.audio_format.encoding"),
        (request(with_audio(4_000, 1, b"\0\0")), f"{audio}.audio_format.sample_rate_hertz"),
        (request(with_audio(16_000, 2, b"\0\0")), f"{audio}.audio_format.channel_count"),
        (request(with_audio(16_000, 1, b"\0")), f"{audio}.audio"),
        (request(with_audio(16_000, 1, b"")), f"{audio}.audio"),
        (request(with_audio(8_000, 1, b"\0\0" * 8_000 * 61)), f"{audio}.audio"),
    ]
    flags = openai(model_server, **{"llm.openai.audio_input": "true"})
    async with serving("llm", **flags) as target:
        for malformed, field in cases:
            error = await refused(target, malformed)
            assert from_rpc(error, common_pb2.STAGE_LLM).field == field
    assert model_server.bodies == []


async def test_a_second_generation_on_a_stream_is_a_protocol_violation(
    serving: Serving, model_server: Any
) -> None:
    model_server.answer = model_server.lines(hold=True)
    async with serving("llm", **openai(model_server)) as target:
        error = await refused(target, request(HI), request(HI))
        assert from_rpc(error, common_pb2.STAGE_LLM).code == common_pb2.ERROR_CODE_PROTOCOL
        await model_server.closed_by_client.wait()
