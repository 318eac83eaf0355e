"""What the ASR tests share: a client of the real service."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import grpc.aio
import pytest

from voicemesh.v1.asr_pb2_grpc import SpeechRecognizerServiceStub

Recognizer = Callable[[str], AbstractAsyncContextManager[Any]]


@pytest.fixture
def recognizer() -> Recognizer:
    """``async with recognizer(target) as stub``."""

    @asynccontextmanager
    async def connect(target: str) -> AsyncIterator[Any]:
        async with grpc.aio.insecure_channel(target) as channel:
            yield SpeechRecognizerServiceStub(channel)

    return connect


@pytest.fixture
async def stub(
    serving: Callable[..., AbstractAsyncContextManager[str]], recognizer: Recognizer
) -> AsyncIterator[Any]:
    """A client of a service that hears one speaker."""
    async with (
        serving("asr", **{"asr.pocketsphinx.workers": 1}) as target,
        recognizer(target) as stub,
    ):
        yield stub
