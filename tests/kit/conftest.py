"""A toy room that is installed while a test runs, and its service."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from voicemesh.grpc_client import Duplex, open_channel
from voicemesh.registry import installed
from voicemesh.server import Server
from voicemesh.settings import load
from voicemesh.v1 import common_pb2, llm_pb2
from voicemesh.v1.llm_pb2_grpc import LanguageModelServiceStub

ROOMS = Path(__file__).parent / "rooms"

Stream = Duplex[llm_pb2.GenerateRequest, llm_pb2.GenerateResponse]


@pytest.fixture
def toyroom(monkeypatch: pytest.MonkeyPatch) -> Path:
    """The toy room is installed, for this process and for its children."""
    monkeypatch.syspath_prepend(ROOMS)
    monkeypatch.setenv("PYTHONPATH", str(ROOMS))
    return ROOMS


@dataclass
class Echo:
    """A running echo service and a client of it."""

    server: Server
    service: Any
    channel: Any

    def stream(self) -> Stream:
        stub = LanguageModelServiceStub(self.channel)
        return Duplex(stub.Generate(), common_pb2.STAGE_LLM)


async def say(stream: Stream, text: str) -> None:
    """Send a text to the echo."""
    await stream.write(
        llm_pb2.GenerateRequest(cancel=llm_pb2.CancelGeneration(reason=text)),
    )


async def drain(stream: Stream) -> None:
    """Read to the end of a stream, or to its error."""
    while await stream.read():
        pass


Saying = Callable[[Stream, str], Any]
Echoing = Callable[..., AbstractAsyncContextManager[Echo]]


@pytest.fixture
def saying() -> Saying:
    """``await saying(stream, text)``."""
    return say


@pytest.fixture
def read_to_end() -> Callable[[Stream], Any]:
    """``await read_to_end(stream)``; an error of the stream is raised."""
    return drain


@pytest.fixture
def echoing(toyroom: Path) -> Echoing:
    """``async with echoing(slots=1) as echo``; ``started=False`` only makes it."""

    @asynccontextmanager
    async def start(started: bool = True, **flags: Any) -> AsyncIterator[Echo]:
        settings = load(
            environ={},
            flags={"echo.drain_grace_s": "30"} | {f"echo.{k}": str(v) for k, v in flags.items()},
        )
        service = installed("voicemesh.services")["echo"].factory(settings)
        server = Server(service)
        if not started:
            yield Echo(server, service, None)
            return
        await server.start()
        try:
            async with open_channel(f"127.0.0.1:{server.port}") as channel:
                yield Echo(server, service, channel)
        finally:
            if not service.closed:
                server.request_stop()
                await server.stop()

    return start
