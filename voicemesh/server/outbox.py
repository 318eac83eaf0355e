"""The responses of one stream, written by one task."""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import Any, Generic, TypeVar

import grpc.aio

from voicemesh import metrics
from voicemesh.aio import Channel, ChannelClosed, ChannelFull, cancel_and_wait
from voicemesh.errors import Busy

T = TypeVar("T")


class Outbox(Generic[T]):
    """Responses of one stream. ``send`` never waits.

    gRPC takes a response when its transport has room. A client that does not
    read lets the outbox fill up; then its stream ends with Busy rather than with
    unbounded memory. Whichever task finds that out, the error is raised in the
    task that entered the outbox, as ``asyncio.timeout`` does it.
    """

    def __init__(
        self, context: grpc.aio.ServicerContext[Any, T], capacity: int = 512, service: str = ""
    ) -> None:
        """``capacity``: messages that may wait, about a minute of a stream's events."""
        self._context = context
        self._channel: Channel[T] = Channel(capacity)
        self._service = service
        self._unread: Busy | None = None
        self._owner: asyncio.Task[Any] | None = None
        self._cancelling = 0
        self._task: asyncio.Task[None] | None = None

    def send(self, message: T) -> None:
        """Send ``message``.

        Drops it after the end, and once the client has been found not to read.
        """
        try:
            self._channel.send(message)
        except ChannelFull:
            self._overflow()
        except ChannelClosed:
            return

    def _overflow(self) -> None:
        metrics.EVENTS_LOST.labels(self._service).inc()
        self._unread = Busy("the client does not read its responses; read them and reconnect")
        self._channel.close()
        self._channel.clear()
        if self._owner is asyncio.current_task():
            raise self._unread
        if self._owner is not None:
            self._owner.cancel()

    async def _write(self) -> None:
        async for message in self._channel:
            await self._context.write(message)

    async def __aenter__(self) -> Outbox[T]:
        """Start writing."""
        self._owner = asyncio.current_task()
        assert self._owner is not None
        self._cancelling = self._owner.cancelling()
        self._task = asyncio.get_running_loop().create_task(self._write(), name="outbox")
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Write what waits, then stop.

        A cancelled stream writes nothing more, and who does not read is not
        waited for.
        """
        assert self._task is not None
        assert self._owner is not None
        self._channel.close()
        cancelled = kind is not None and issubclass(kind, asyncio.CancelledError)
        try:
            if not cancelled and self._unread is None:
                await asyncio.wait({self._task}, timeout=5)
        finally:
            if self._task.done() and not self._task.cancelled():
                self._task.exception()  # A broken write means that the client is gone.
            else:
                await cancel_and_wait(self._task)
        if self._unread and cancelled and self._owner.uncancel() <= self._cancelling:
            raise self._unread
