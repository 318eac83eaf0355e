"""The door of every service: no field of a request can be long, many or strange unnoticed."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import grpc
import pytest
from google.protobuf.descriptor import Descriptor, FieldDescriptor

from voicemesh.errors import InvalidArgument, from_rpc
from voicemesh.grpc_client import MAX_MESSAGE_BYTES, open_channel
from voicemesh.request_bounds import check_field_count, check_of
from voicemesh.request_bounds.bounds import BOUNDS
from voicemesh.request_bounds.checks import bound_of
from voicemesh.v1 import (
    asr_pb2,
    common_pb2,
    dialog_pb2,
    llm_pb2,
    operations_pb2,
    robot_pb2,
    tts_pb2,
)

FILES = (asr_pb2, dialog_pb2, llm_pb2, operations_pb2, robot_pb2, tts_pb2)
Asr = asr_pb2.StreamingRecognizeRequest
Config = asr_pb2.StreamingRecognitionConfig
State = asr_pb2.TurnDetectorState
Hint = asr_pb2.PhraseHint


def requests() -> Iterator[Descriptor]:
    """The request of every RPC of protos/."""
    for file in FILES:
        for service in file.DESCRIPTOR.services_by_name.values():
            for method in service.methods:
                yield method.input_type


def fields(descriptor: Descriptor, seen: set[str]) -> Iterator[FieldDescriptor]:
    """All fields that a message can carry, at any depth."""
    if descriptor.full_name in seen:
        return
    seen.add(descriptor.full_name)
    for field in descriptor.fields:
        yield field
        if field.message_type is not None:
            yield from fields(field.message_type, seen)


def all_fields() -> list[FieldDescriptor]:
    seen: set[str] = set()
    return [field for request in requests() for field in fields(request, seen)]


def named(field: FieldDescriptor) -> str:
    assert field.containing_type is not None
    return f"{field.containing_type.name}.{field.name}"


def is_entry_of_a_map(field: FieldDescriptor) -> bool:
    assert field.containing_type is not None
    return bool(field.containing_type.GetOptions().map_entry)


def test_every_field_that_can_be_long_or_many_has_a_bound() -> None:
    unbounded = []
    for field in all_fields():
        bound = bound_of(field)
        if is_entry_of_a_map(field):
            continue
        is_text = field.cpp_type == FieldDescriptor.CPPTYPE_STRING
        is_map = field.message_type is not None and field.message_type.GetOptions().map_entry
        if field.is_repeated and (bound is None or bound.entries is None):
            unbounded.append(f"{named(field)}: entries")
        if (is_text or is_map) and (bound is None or bound.length is None):
            unbounded.append(f"{named(field)}: length")
        if field.cpp_type == FieldDescriptor.CPPTYPE_INT64 and bound is None:
            unbounded.append(f"{named(field)}: numbers")
    assert not unbounded


def test_no_bound_is_for_a_field_that_is_not_there() -> None:
    assert set(BOUNDS) <= {named(field) for field in all_fields()}


def refusal(message: Any) -> InvalidArgument:
    check = check_of(message.DESCRIPTOR)
    assert check is not None
    with pytest.raises(InvalidArgument) as caught:
        check(message)
    return caught.value


HUGE = 2**62


@pytest.mark.parametrize(
    ("message", "field"),
    [
        (Asr(streaming_config=Config(language_codes=["en"] * 33)), "language_codes"),
        (Asr(streaming_config=Config(language_codes=["en", "x" * 36])), "language_codes[1]"),
        (Asr(streaming_config=Config(first_sample=HUGE)), "first_sample"),
        (Asr(streaming_config=Config(first_sample=-1)), "first_sample"),
        (
            Asr(streaming_config=Config(resume_from=State(mean_pause_ms=float("nan")))),
            "resume_from.mean_pause_ms",
        ),
        (
            Asr(streaming_config=Config(resume_from=State(last_voiced_sample=HUGE))),
            "resume_from.last_voiced_sample",
        ),
        (
            Asr(streaming_config=Config(phrase_hints=[Hint(phrase="a"), Hint(phrase="x" * 201)])),
            "phrase_hints[1].phrase",
        ),
        (
            Asr(streaming_config=Config(phrase_hints=[Hint(phrase="a", boost=float("inf"))])),
            "phrase_hints[0].boost",
        ),
    ],
)
def test_a_refusal_names_the_field_and_the_cure(message: Asr, field: str) -> None:
    error = refusal(message)
    assert error.field == f"streaming_config.{field}"
    assert "send" in error.message


def test_bounds_hold_in_what_a_robot_answers_to_a_command() -> None:
    words = [asr_pb2.Word(word="a")] * 4001
    heard = asr_pb2.TurnEvent(transcript=asr_pb2.Transcript(words=words))
    result = robot_pb2.RobotCommandResult(listen=robot_pb2.ListenResponse(turn_event=heard))
    error = refusal(dialog_pb2.ConverseRequest(command_result=result))
    assert error.field == "command_result.listen.turn_event.transcript.words"
    facts = {"x" * 1001: "y"}
    status = robot_pb2.GetStatusResponse(facts=facts)
    result = robot_pb2.RobotCommandResult(status=status)
    error = refusal(dialog_pb2.ConverseRequest(command_result=result))
    assert error.field == f'command_result.status.facts["{"x" * 40}"]'


def test_what_is_within_the_bounds_passes() -> None:
    hints = [Hint(phrase="x" * 200)] * 2000
    config = Config(language_codes=["zh-Hans-CN"] * 32, phrase_hints=hints)
    check = check_of(Asr.DESCRIPTOR)
    assert check is not None
    check(Asr(streaming_config=config))
    check(Asr(audio=common_pb2.AudioChunk(audio=bytes(96_000), first_sample=2**53)))


def test_a_check_of_20_ms_of_audio_costs_next_to_nothing() -> None:
    """About 1 µs; a machine that is busy otherwise may take some more."""
    message = Asr(audio=common_pb2.AudioChunk(audio=bytes(640), first_sample=320))
    check = check_of(Asr.DESCRIPTOR)
    assert check is not None
    best = 1.0
    for _ in range(20):
        began = time.perf_counter()
        for _ in range(500):
            check(message)
        best = min(best, (time.perf_counter() - began) / 500)
    assert best < 10e-6


def small_fields(size: int) -> bytes:
    """A config of so many bytes, all of them empty language codes."""
    inner = b"\x1a\x00" * (size // 2)
    return Asr(streaming_config=Config.FromString(inner)).SerializeToString()


def test_a_large_message_of_many_small_fields_is_not_even_parsed() -> None:
    raw = small_fields(4_000_000)
    began = time.perf_counter()
    with pytest.raises(InvalidArgument, match="fewer entries"):
        check_field_count(raw, Asr.DESCRIPTOR)
    assert time.perf_counter() - began < 0.1
    hints = [Hint(phrase="a")] * 9
    recording = asr_pb2.RecognizeRequest(audio=bytes(5_760_000), phrase_hints=hints)
    check_field_count(recording.SerializeToString(), asr_pb2.RecognizeRequest.DESCRIPTOR)


async def refused(target: str, method: str, raw: Any, streams: bool = True) -> Any:
    """How an RPC ends whose only request are these bytes."""

    async def read(call: Any) -> None:
        if streams:
            async for _ in call:
                pass
        else:
            await call

    channel: Any
    async with open_channel(target) as channel:
        call = (
            channel.stream_stream(method)(iter([raw]))
            if streams
            else channel.unary_unary(method)(raw)
        )
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await read(call)
    return caught.value


@pytest.mark.parametrize(
    ("method", "streams"),
    [
        ("/voicemesh.v1.LanguageModelService/Generate", True),
        ("/voicemesh.v1.OperationsService/Drain", False),
        ("/grpc.health.v1.Health/Check", False),
        ("/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo", True),
    ],
)
async def test_bytes_that_cannot_be_decoded_are_an_invalid_argument(
    echoing: Any, caplog: pytest.LogCaptureFixture, method: str, streams: bool
) -> None:
    async with echoing() as echo:
        error = await refused(f"127.0.0.1:{echo.server.port}", method, b"\x0a\xff\xff", streams)
    assert error.code() == grpc.StatusCode.INVALID_ARGUMENT
    assert method.rpartition("/")[2] in error.details()
    assert not [record for record in caplog.records if record.exc_info]


async def test_a_field_out_of_bounds_ends_the_stream_with_its_name(echoing: Any) -> None:
    request = llm_pb2.GenerateRequest(cancel=llm_pb2.CancelGeneration(reason="x" * 1001))
    async with echoing() as echo:
        target = f"127.0.0.1:{echo.server.port}"
        method = "/voicemesh.v1.LanguageModelService/Generate"
        error = await refused(target, method, request.SerializeToString())
    ours = from_rpc(error, common_pb2.STAGE_LLM)
    assert isinstance(ours, InvalidArgument)
    assert ours.field == "cancel.reason"


async def test_what_is_too_large_for_grpc_is_told_as_too_large(echoing: Any) -> None:
    async with echoing() as echo:
        target = f"127.0.0.1:{echo.server.port}"
        raw = bytes(MAX_MESSAGE_BYTES + 1)
        error = await refused(target, "/grpc.health.v1.Health/Check", raw, streams=False)
    ours = from_rpc(error, common_pb2.STAGE_LLM)
    assert isinstance(ours, InvalidArgument)
    assert "too large" in ours.message
    assert not ours.retryable


async def test_four_megabytes_of_small_fields_do_not_hold_the_loop_up(echoing: Any) -> None:
    entries = [""] * 2_000_000
    request = llm_pb2.GenerateRequest(generation=llm_pb2.GenerationRequest(stop=entries))
    raw = request.SerializeToString()
    async with echoing() as echo:
        target = f"127.0.0.1:{echo.server.port}"
        for _ in range(4):
            error = await refused(target, "/voicemesh.v1.LanguageModelService/Generate", raw)
            assert error.code() == grpc.StatusCode.INVALID_ARGUMENT
        assert echo.server.stalls.longest_s < 0.25
