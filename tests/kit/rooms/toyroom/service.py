"""Says every message again, until the client half-closes."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any

import grpc.aio

from toyroom.settings import EchoSettings
from voicemesh import errors
from voicemesh.server import Admission, Outbox, Service, ServiceSpec, rpc_errors
from voicemesh.settings import Settings
from voicemesh.v1 import common_pb2, llm_pb2, operations_pb2
from voicemesh.v1.llm_pb2_grpc import (
    LanguageModelServiceServicer,
    add_LanguageModelServiceServicer_to_server,
)

Context = grpc.aio.ServicerContext[Any, llm_pb2.GenerateResponse]
Box = Outbox[llm_pb2.GenerateResponse]


class EchoService(Service, LanguageModelServiceServicer):
    name = "echo"
    stage = common_pb2.STAGE_LLM
    settings: EchoSettings

    def __init__(self, settings: EchoSettings) -> None:
        song = settings.song_file
        if song is not None and not song.is_file():
            raise errors.SettingsError(f"the song {song} does not exist; name another")
        self.settings = settings
        self.admission = Admission(settings.slots, "echoes")
        self.streams: set[Box] = set()
        self.closed = False
        self.loading = asyncio.Event()
        self.gate = asyncio.Event()
        if not settings.loads_forever:
            self.gate.set()

    async def load(self) -> None:
        if self.settings.load_trace:
            with self.settings.load_trace.open("a") as trace:
                trace.write("load\n")
        if self.settings.fails_to_load:
            raise errors.EngineMissing("the parrot has escaped; buy another")
        self.loading.set()
        await self.gate.wait()

    def register(self, server: grpc.aio.Server) -> Sequence[str]:
        add_LanguageModelServiceServicer_to_server(self, server)
        return ["voicemesh.v1.LanguageModelService"]

    def describe(self, response: operations_pb2.DescribeResponse) -> None:
        response.engine = self.settings.engine
        response.slots.CopyFrom(self.admission.slots())

    async def drain(self, notice: common_pb2.DrainNotice) -> None:
        for box in self.streams:
            box.send(llm_pb2.GenerateResponse(drain=notice))

    async def close(self) -> None:
        self.closed = True

    async def Generate(  # type: ignore[override]  # The stubs know no coroutine that writes.
        self, request_iterator: AsyncIterator[llm_pb2.GenerateRequest], context: Context
    ) -> None:
        async with rpc_errors(context, self.stage):
            with self.admission.slot():
                async with Outbox(context, self.settings.outbox, self.name) as box:
                    self.streams.add(box)
                    try:
                        box.send(llm_pb2.GenerateResponse(started=llm_pb2.GenerationStarted()))
                        async for request in request_iterator:
                            await self._answer(request.cancel.reason, request.stamp, box)
                    finally:
                        self.streams.discard(box)

    async def _answer(self, text: str, stamp: common_pb2.Stamp, box: Box) -> None:
        verb, _, rest = text.partition(" ")
        match verb:
            case "raise":
                error = getattr(errors, rest, None)
                if error is None:
                    raise ValueError("the parrot bites")
                raise error(f"{rest} happened; do this", field="a.b", retry_after_ms=7)
            case "flood":
                await self._flood(box)
            case "flood-aside":
                self.aside = asyncio.ensure_future(self._flood(box))
            case _:
                delta = llm_pb2.TextDelta(text=text)
                box.send(llm_pb2.GenerateResponse(stamp=stamp, delta=delta))

    async def _flood(self, box: Box) -> None:
        while box in self.streams:
            box.send(llm_pb2.GenerateResponse(delta=llm_pb2.TextDelta(text="x" * 60_000)))
            await asyncio.sleep(0)


def _factory(settings: Settings) -> EchoService:
    return EchoService(settings.section("echo", EchoSettings))


SPEC = ServiceSpec("echo", "says everything again", _factory)
