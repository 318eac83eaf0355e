"""Clients that go away at any moment: their conversations end, and nothing of them is lost."""

from __future__ import annotations

import logging

import pytest

from voicemesh.grpc_client import open_channel
from voicemesh.v1 import dialog_pb2
from voicemesh.v1.dialog_pb2_grpc import DialogServiceStub

from .conftest import Mesh, Request, config

CLIENTS = 20


async def test_every_conversation_that_begins_ends(
    mesh: Mesh, caplog: pytest.LogCaptureFixture
) -> None:
    """In the log too, wherever the client's cancel falls; ``serving`` fails for lost tasks."""
    caplog.set_level(logging.INFO)
    async with mesh("llm", "tts") as target, open_channel(target) as channel:
        for number in range(CLIENTS):
            call = DialogServiceStub(channel).Converse()
            await call.write(Request(config=config()))
            if number % 2:
                await call.read()
                text = dialog_pb2.TypedText(text="what is the moon")
                await call.write(Request(text=text))
                for _ in range(number % 5):
                    await call.read()
            if number % 3 == 0:
                await call.done_writing()  # gRPC tells of it first, and of the cancel later.
            call.cancel()
    logged = [record.message for record in caplog.records]
    assert logged.count("conversation begins") >= CLIENTS / 2
    assert logged.count("conversation ends") >= logged.count("conversation begins")
