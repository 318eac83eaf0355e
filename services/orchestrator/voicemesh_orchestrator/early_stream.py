"""A stream to the model that is open before there is a question."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING

import grpc.aio

from voicemesh.aio import TaskSet, cancel_and_wait, within
from voicemesh.channels import Duplex
from voicemesh.errors import VoiceMeshError
from voicemesh.v1 import common_pb2, llm_pb2

if TYPE_CHECKING:  # The stubs' asynchronous types exist for type checkers only.
    from voicemesh.v1.llm_pb2_grpc import LanguageModelServiceAsyncStub

Call = grpc.aio.StreamStreamCall[llm_pb2.GenerateRequest, llm_pb2.GenerateResponse]

# Longer than any turn detector waits after an eager end, and much shorter than a
# model service keeps a stream that asks nothing.
_KEPT_S = 3.0
_GOODBYE_S = 1.0


class EarlyStream:
    """Opens the next Generate stream while the end of the turn is still being waited for.

    Opening a stream takes longer than a message on an open one, and the silence
    after a question hides it. Nothing is asked before the turn has ended; a stream
    that finds no use within three seconds is closed.
    """

    def __init__(self, stub: LanguageModelServiceAsyncStub, closing: TaskSet) -> None:
        """``closing`` runs the good-byes of streams without use in the background."""
        self._stub = stub
        self._closing = closing
        self._call: Call | None = None
        self._expiry: asyncio.TimerHandle | None = None

    def open(self) -> None:
        """A question is likely to come soon."""
        if self._call is not None and not self._call.done():
            return
        self.discard()
        self._call = self._stub.Generate(wait_for_ready=True)
        self._expiry = asyncio.get_running_loop().call_later(_KEPT_S, self.discard)

    def take(self, wait_for_ready: bool = True) -> Call:
        """A stream to ask on: the early one if it lives, else a new one."""
        call = self._forget()
        if call is not None and not call.done():
            return call
        return self._stub.Generate(wait_for_ready=wait_for_ready)

    def discard(self) -> None:
        """No question comes."""
        call = self._forget()
        if call is not None:
            self._closing.start(_say_goodbye(call), "close early stream")

    def _forget(self) -> Call | None:
        if self._expiry is not None:
            self._expiry.cancel()
        call, self._call, self._expiry = self._call, None, None
        return call


async def _say_goodbye(call: Call) -> None:
    """Half-close, because a cancelled RPC leaks in grpc.aio; cancel where nobody answers."""
    duplex = Duplex(call, common_pb2.STAGE_LLM)

    async def end() -> None:
        with suppress(VoiceMeshError):
            await duplex.half_close()
            await duplex.read()

    ending = asyncio.get_running_loop().create_task(end(), name="end early stream")
    try:
        if not await within(_GOODBYE_S, ending):
            duplex.cancel()
    finally:
        await cancel_and_wait(ending)
