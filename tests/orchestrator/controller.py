"""Somebody who asks an orchestrator for turns on a robot."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import grpc.aio

from voicemesh.errors import from_rpc
from voicemesh.grpc_client import open_channel
from voicemesh.v1 import asr_pb2, common_pb2, dialog_pb2
from voicemesh.v1.dialog_pb2_grpc import DialogServiceStub
from voicemesh.v1.operations_pb2 import DescribeRequest, ListTurnsRequest
from voicemesh.v1.operations_pb2_grpc import OperationsServiceStub

STAGE = common_pb2.STAGE_ORCHESTRATOR

News = dialog_pb2.RunTurnResponse


class Controller:
    """Somebody who asks an orchestrator for turns."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self.channel = channel
        self._dialog = DialogServiceStub(channel)
        self._operations = OperationsServiceStub(channel)
        self.news: list[News] = []

    def begin(self, **request: Any) -> Any:
        return self._dialog.RunTurn(dialog_pb2.RunTurnRequest(**request))

    async def follow(self, call: Any) -> dialog_pb2.TurnEnded:
        """Read a turn to the end of its stream."""
        self.news.clear()
        try:
            async with asyncio.timeout(60):
                async for news in call:
                    self.news.append(news)
        except grpc.aio.AioRpcError as error:
            raise from_rpc(error, STAGE) from None
        assert self.news[-1].HasField("turn_ended")
        return self.news[-1].turn_ended

    async def run(self, **request: Any) -> dialog_pb2.TurnEnded:
        return await self.follow(self.begin(**request))

    async def listen(self, **request: Any) -> asr_pb2.Transcript:
        try:
            answer = await self._dialog.ListenOnce(dialog_pb2.ListenOnceRequest(**request))
        except grpc.aio.AioRpcError as error:
            raise from_rpc(error, STAGE) from None
        return answer.transcript

    async def turns(self) -> list[Any]:
        return list((await self._operations.ListTurns(ListTurnsRequest())).turns)

    async def slots_used(self) -> int:
        return (await self._operations.Describe(DescribeRequest())).slots.used

    async def until_free(self) -> None:
        """Wait until no slot is taken any more."""
        async with asyncio.timeout(30):
            while await self.slots_used():
                pass

    @property
    def reply(self) -> str:
        return "".join(news.reply_text.text for news in self.news)

    @property
    def reports(self) -> list[common_pb2.PlaybackReport]:
        return [news.playback for news in self.news if news.HasField("playback")]


@asynccontextmanager
async def controlling(target: str) -> AsyncIterator[Controller]:
    async with open_channel(target) as channel:
        yield Controller(channel)
