"""A client that speaks the raw protocol, and a mesh within the test's process."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from typing import Any

import pytest

from voicemesh.audio_format import linear16
from voicemesh.grpc_client import Duplex, open_channel
from voicemesh.v1 import common_pb2, dialog_pb2
from voicemesh.v1.dialog_pb2_grpc import DialogServiceStub

RATE = 16_000
Request = dialog_pb2.ConverseRequest
Response = dialog_pb2.ConverseResponse


def config(**fields: Any) -> dialog_pb2.ConverseConfig:
    """A client that reads and hears, and neither types nor speaks unless it says so."""
    return dialog_pb2.ConverseConfig(**{"output_format": linear16(RATE)} | fields)


class Client:
    """The Converse stream, message by message."""

    def __init__(self, stream: Duplex[Request, Response]) -> None:
        self.stream = stream
        self.seen: list[Response] = []
        self.sample = 0

    async def send(self, **fields: Any) -> None:
        await self.stream.write(Request(**fields))

    async def say(self, samples: Any, frame: int = 320) -> None:
        for first in range(0, len(samples), frame):
            part = samples[first : first + frame]
            await self.send(
                audio=common_pb2.AudioChunk(audio=part.tobytes(), first_sample=self.sample)
            )
            self.sample += len(part)

    async def read(self) -> Response:
        while True:
            response = await self.stream.read()
            assert response is not None, "the stream ended"
            if not response.HasField("heartbeat") or response.heartbeat.echo:
                break  # Signs of life come by the clock, and are nothing that tests ask for.
        self.seen.append(response)
        return response

    async def until(self, kind: str) -> Response:
        """The next response of a kind; what comes before is in ``seen``."""
        async with asyncio.timeout(30):
            while True:
                response = await self.read()
                if response.WhichOneof("converse_response") == kind:
                    return response

    def of(self, kind: str) -> list[Any]:
        """Everything of a kind seen so far."""
        return [getattr(r, kind) for r in self.seen if r.WhichOneof("converse_response") == kind]


Connect = Callable[..., AbstractAsyncContextManager[Client]]


@pytest.fixture
def connect() -> Connect:
    """``async with connect(target, first_message) as client``."""

    @asynccontextmanager
    async def opened(target: str, first: Request | None = None) -> AsyncIterator[Client]:
        channel = open_channel(target)
        client = Client(
            Duplex(DialogServiceStub(channel).Converse(), common_pb2.STAGE_ORCHESTRATOR)
        )
        try:
            await client.stream.write(first or Request(config=config()))
            yield client
        finally:
            client.stream.cancel()
            await channel.close()

    return opened


Mesh = Callable[..., AbstractAsyncContextManager[str]]


@pytest.fixture
def mesh(serving: Any) -> Mesh:
    """``async with mesh("llm", "tts") as target``: an orchestrator over real services.

    Services that are not named are expected at the targets given as settings, or
    nowhere.
    """

    @asynccontextmanager
    async def started(*services: str, **settings: Any) -> AsyncIterator[str]:
        async with AsyncExitStack() as stack:
            targets = {
                f"orchestrator.{name}_target": "127.0.0.1:9" for name in ("asr", "llm", "tts")
            }
            for name in services:
                own = {k: v for k, v in settings.items() if k.startswith(f"{name}.")}
                targets[f"orchestrator.{name}_target"] = await stack.enter_async_context(
                    serving(name, **own)
                )
            own = {k: v for k, v in settings.items() if k.startswith("orchestrator.")}
            yield await stack.enter_async_context(serving("orchestrator", **targets | own))

    return started
