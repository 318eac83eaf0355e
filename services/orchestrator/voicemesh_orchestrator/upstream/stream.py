"""A long-lived stream to one of the services, owned by a conversation.

One task writes, one reads: no caller ever waits inside a gRPC write or read, so
no cancelled caller can take the whole stream down with it.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from typing import Generic, Protocol, TypeVar

import grpc.aio

from voicemesh.aio import Channel, ChannelClosed, ChannelFull, cancel_and_wait, within
from voicemesh.enums import short_name
from voicemesh.errors import Busy, InternalError, Unavailable, VoiceMeshError
from voicemesh.grpc_client import Duplex
from voicemesh.heartbeats import HeartbeatCounter
from voicemesh.v1 import common_pb2 as pb

log = logging.getLogger(__name__)

_CAPACITY = 256
_GOODBYE_S = 1.0
_PROBES = 4  # In the time after which silence is a stall.


class Response(Protocol):
    """What every response of a long stream has."""

    @property
    def stamp(self) -> pb.Stamp:
        """The generation of the work."""


Q = TypeVar("Q")
R = TypeVar("R", bound=Response)


class Upstream(Generic[Q, R]):
    """A stream that reports its messages and its loss to callbacks.

    Callbacks run on the event loop and must not block. ``on_lost`` is called
    once, with the reason; never after ``close``.
    """

    def __init__(
        self,
        stage: pb.Stage.ValueType,
        target: str,
        on_message: Callable[[R], None],
        on_lost: Callable[[VoiceMeshError], None],
        heartbeat: Callable[[pb.Heartbeat], Q],
        stall_s: float,
    ) -> None:
        """``heartbeat`` wraps a heartbeat as a request of this stream.

        ``stall_s``: a service that answers none for so many seconds is stuck.
        """
        self._stage = stage
        self._target = target
        self._on_message = on_message
        self._on_lost = on_lost
        self._heartbeat = heartbeat
        self._stall_s = stall_s
        self._outgoing: Channel[Q] = Channel(_CAPACITY)
        self._room = asyncio.Event()
        self._room.set()
        self._tasks: list[asyncio.Task[None]] = []
        self._last_heard_s = 0.0
        self._ended = False
        self._duplex: Duplex[Q, R] | None = None

    @property
    def open(self) -> bool:
        """Whether the stream lives."""
        return bool(self._tasks) and not self._ended

    async def start(
        self, method: Callable[..., grpc.aio.StreamStreamCall[Q, R]], first: Q, deadline_s: float
    ) -> R:
        """Open the stream with ``first``; returns the first response, or raises why not.

        A service that is being restarted is waited for: until its port is open, and
        then as long as it says when to ask again, because its engine is loading.
        """
        give_up_s = time.monotonic() + deadline_s
        while True:
            try:
                duplex, response = await self._open(method, first, give_up_s - time.monotonic())
                break
            except TimeoutError:
                raise Unavailable(
                    f"{self._name}: nothing answers at {self._target} within {deadline_s:g} s; "
                    "is the service running?",
                    stage=self._stage,
                ) from None
            except Unavailable as refusal:
                pause_s = refusal.retry_after_ms / 1000
                if not pause_s:
                    raise
                if time.monotonic() + pause_s >= give_up_s:
                    raise Unavailable(
                        f"{refusal.message} (waited {deadline_s:g} s; the log of {self._name} "
                        "tells more, orchestrator.deadlines.connect_s allows longer)",
                        stage=self._stage,
                    ) from None
                await asyncio.sleep(pause_s)
        self._last_heard_s = time.monotonic()
        loop = asyncio.get_running_loop()
        self._duplex = duplex
        self._tasks = [
            loop.create_task(self._read(duplex), name=f"{self._name} read"),
            loop.create_task(self._write(duplex), name=f"{self._name} write"),
            loop.create_task(self._probe(), name=f"{self._name} probe"),
        ]
        return response

    async def _open(
        self, method: Callable[..., grpc.aio.StreamStreamCall[Q, R]], first: Q, within_s: float
    ) -> tuple[Duplex[Q, R], R]:
        """Try it once; TimeoutError when nothing comes of it in that time."""
        duplex: Duplex[Q, R] = Duplex(method(wait_for_ready=True), self._stage)

        async def handshake() -> R | None:
            await duplex.write(first)
            return await duplex.read()

        opening = asyncio.get_running_loop().create_task(handshake(), name="open upstream")
        try:
            answered = await within(max(0.0, within_s), opening)
        except asyncio.CancelledError:
            duplex.cancel()
            await cancel_and_wait(opening)
            raise
        if not answered:
            duplex.cancel()
            await cancel_and_wait(opening)
            raise TimeoutError
        response = opening.result()
        if response is None:
            raise Unavailable(f"{self._name}: the service ended the stream", stage=self._stage)
        return duplex, response

    @property
    def _name(self) -> str:
        return short_name(pb.Stage, self._stage)

    def send(self, message: Q) -> None:
        """Queue ``message``. A stream that has been lost takes it silently: ``on_lost`` told."""
        if self._ended:
            return
        try:
            self._outgoing.send(message)
        except ChannelClosed:
            return
        except ChannelFull:
            self._lose(Busy(f"{self._name}: the service does not keep up", stage=self._stage))
            return
        if len(self._outgoing) >= _CAPACITY // 2:
            self._room.clear()

    async def room(self) -> None:
        """Wait until the stream takes more: back-pressure for senders that can wait."""
        await self._room.wait()

    async def _write(self, duplex: Duplex[Q, R]) -> None:
        try:
            async for message in self._outgoing:
                await duplex.write(message)
                if len(self._outgoing) < _CAPACITY // 4:
                    self._room.set()
            await duplex.half_close()
        except VoiceMeshError as error:
            self._lose(error)

    async def _read(self, duplex: Duplex[Q, R]) -> None:
        try:
            while (message := await duplex.read()) is not None:
                self._last_heard_s = time.monotonic()
                self._on_message(message)
            self._lose(
                Unavailable(f"{self._name}: the service ended the stream", stage=self._stage)
            )
        except VoiceMeshError as error:
            self._lose(error)
        except Exception:
            log.exception("what the %s service said was not understood", self._name)
            text = f"{self._name}: its answer was not understood; the orchestrator's log tells why"
            self._lose(InternalError(text, stage=self._stage))

    async def _probe(self) -> None:
        """Find out that the other side is stuck, which a healthy TCP connection hides."""
        heartbeats = HeartbeatCounter()
        every_s = self._stall_s / _PROBES
        asked_s = time.monotonic()
        while not self._ended:
            await asyncio.sleep(every_s)
            now = time.monotonic()
            # Whoever slept himself, with the whole machine perhaps, has not heard the others.
            awake = now - asked_s < 2 * every_s
            if awake and now - self._last_heard_s > self._stall_s:
                text = f"{self._name}: the service has not answered for {self._stall_s:g} s"
                self._lose(Unavailable(text, stage=self._stage))
                return
            asked_s = now
            self.send(self._heartbeat(heartbeats.next(now)))

    def _lose(self, error: VoiceMeshError) -> None:
        if self._ended:
            return
        self._ended = True
        self._outgoing.close()
        self._room.set()
        self._on_lost(error)

    async def close(self) -> None:
        """Say good-bye: half-close, wait a little for the end, then cancel."""
        lost = self._ended
        self._ended = True
        self._outgoing.close()
        self._room.set()
        if self._duplex is None:
            return
        reader, writer, probe = self._tasks
        await cancel_and_wait(probe)
        # Cancelling an RPC leaks in grpc.aio, so a live stream is ended politely.
        if lost or not await within(_GOODBYE_S, reader):
            self._duplex.cancel()
        await cancel_and_wait(reader, writer)
