"""Errors cross a real RPC and come back as themselves."""

from __future__ import annotations

from typing import Any

import grpc.aio
import pytest

from voicemesh import errors
from voicemesh.v1 import common_pb2, llm_pb2
from voicemesh.v1.llm_pb2_grpc import LanguageModelServiceStub


def _tree(kind: type[errors.VoiceMeshError]) -> list[type[errors.VoiceMeshError]]:
    return [kind, *(below for child in kind.__subclasses__() for below in _tree(child))]


# Those of the kit: a room's own, imported by other tests, are not known to the service asked.
KINDS = sorted(
    {kind for kind in _tree(errors.VoiceMeshError)[1:] if kind.__module__ == errors.__name__},
    key=lambda kind: kind.__name__,
)


async def _read_all(stream: Any) -> None:
    while await stream.read():
        pass


async def _failure(echo: Any, saying: Any, text: str) -> errors.VoiceMeshError:
    stream = echo.stream()
    await saying(stream, text)
    with pytest.raises(errors.VoiceMeshError) as raised:
        await _read_all(stream)
    return raised.value


async def test_every_error_arrives_with_its_kind_sentence_field_and_stage(
    echoing: Any, saying: Any
) -> None:
    async with echoing() as echo:
        for kind in KINDS:
            error = await _failure(echo, saying, f"raise {kind.__name__}")
            assert error.message == f"{kind.__name__} happened; do this"
            assert error.field == "a.b"
            assert error.retry_after_ms == 7
            assert error.stage == common_pb2.STAGE_LLM
            # Kinds that share a code arrive as the kind that the code stands for.
            assert isinstance(error, kind) or error.code == kind.code


async def test_every_error_ends_the_call_with_its_status(echoing: Any) -> None:
    async with echoing() as echo:
        stub = LanguageModelServiceStub(echo.channel)
        for kind in KINDS:
            call = stub.Generate()
            reason = llm_pb2.CancelGeneration(reason=f"raise {kind.__name__}")
            await call.write(llm_pb2.GenerateRequest(cancel=reason))
            with pytest.raises(grpc.aio.AioRpcError):
                await _read_all(call)
            assert await call.code() == kind("").status
            assert (await call.details()).startswith("a.b: ")


async def test_an_unexpected_exception_hides_its_words_and_the_service_lives_on(
    echoing: Any, saying: Any
) -> None:
    async with echoing() as echo:
        error = await _failure(echo, saying, "raise SomethingUnknown")
        assert isinstance(error, errors.InternalError)
        assert "bites" not in str(error)

        stream = echo.stream()
        await saying(stream, "hello")
        assert (await stream.read()).HasField("started")
        assert (await stream.read()).delta.text == "hello"
        await stream.half_close()
        assert await stream.read() is None


async def test_a_service_that_is_not_there_is_unavailable_and_named() -> None:
    async with grpc.aio.insecure_channel("127.0.0.1:1") as channel:
        call = LanguageModelServiceStub(channel).Generate()
        with pytest.raises(grpc.aio.AioRpcError) as raised:
            await call.read()
    error = errors.from_rpc(raised.value, common_pb2.STAGE_LLM)
    assert isinstance(error, errors.Unavailable)
    assert error.retryable
    assert str(error).startswith("llm: ")


def test_every_kind_has_a_status() -> None:
    assert all(isinstance(kind("").status, grpc.StatusCode) for kind in KINDS)


def test_what_tasks_failed_of_is_raised_as_itself_where_it_is_ours_alone() -> None:
    ours, theirs = errors.Unavailable("gone"), ValueError("a mistake")
    assert errors.failure_of(BaseExceptionGroup("tasks", [ours])) is ours
    nested = BaseExceptionGroup("tasks", [BaseExceptionGroup("inner", [ours]), errors.Busy("full")])
    assert errors.failure_of(nested) is ours
    both = BaseExceptionGroup("tasks", [ours, theirs])
    assert errors.failure_of(both) is both
