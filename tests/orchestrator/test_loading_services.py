"""Services whose engines are still being loaded: who asks for them waits, within bounds."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from voicemesh.aio import cancel_and_wait
from voicemesh.audio_format import linear16
from voicemesh.errors import Unavailable
from voicemesh.registry import installed
from voicemesh.server import Server
from voicemesh.settings import load
from voicemesh.v1 import common_pb2, dialog_pb2

from .conftest import RATE, Connect, Mesh, Request

NAMES = ("asr", "llm", "tts")


@asynccontextmanager
async def loading(name: str, ends: bool = True) -> AsyncIterator[str]:
    """A real service that has loaded when a caller has been refused, or never."""
    flags = {f"{name}.port": "0", f"{name}.metrics_port": "-1", f"{name}.drain_grace_s": "0.2"}
    service: Any = installed("voicemesh.services")[name].factory(load(environ={}, flags=flags))
    load_engine, refusal = service.load, service.still_loading
    loads, asked = asyncio.Event(), asyncio.Event()

    async def load_when_asked_for() -> None:
        loads.set()
        await asked.wait()
        await load_engine()

    def refuse() -> Unavailable:
        if ends:
            asked.set()
        error: Unavailable = refusal()
        return error

    service.load, service.still_loading = load_when_asked_for, refuse
    server = Server(service)
    start = asyncio.ensure_future(server.start())
    try:
        await loads.wait()  # The port is open by now.
        yield f"127.0.0.1:{server.port}"
    finally:
        await cancel_and_wait(start)
        await server.stop()


@pytest.mark.parametrize("name", NAMES)
async def test_a_service_that_is_still_loading_is_waited_for(
    mesh: Mesh, connect: Connect, name: str
) -> None:
    config = dialog_pb2.ConverseConfig(input_format=linear16(RATE), output_format=linear16(RATE))
    others = [other for other in NAMES if other != name]
    async with (
        loading(name) as slow,
        mesh(
            *others,
            **{f"orchestrator.{name}_target": slow, "orchestrator.deadlines.connect_s": 30},
        ) as target,
        connect(target, Request(config=config)) as client,
    ):
        await client.until("started")
        await client.send(text=dialog_pb2.TypedText(text="what is the moon"))
        await client.until("reply_audio")
        assert not client.of("error")


async def test_who_has_waited_for_a_service_too_long_is_told_which_and_what_to_do(
    mesh: Mesh, connect: Connect
) -> None:
    text_only = Request(config=dialog_pb2.ConverseConfig())
    async with (
        loading("llm", ends=False) as slow,
        mesh(
            **{"orchestrator.llm_target": slow, "orchestrator.deadlines.connect_s": 0.5}
        ) as target,
        connect(target, text_only) as client,
    ):
        await client.send(text=dialog_pb2.TypedText(text="hello"))
        error = (await client.until("turn_ended")).turn_ended.error
    assert error.stage == common_pb2.STAGE_LLM
    assert error.code == common_pb2.ERROR_CODE_UNAVAILABLE
    assert error.message.startswith("llm: the engine is still loading")
    assert "waited 0.5 s" in error.message
    assert "orchestrator.deadlines.connect_s" in error.message
