"""gRPC's streams without a network: messages are late, in order, and streams die.

A channel takes the generated stubs, a handler is a coroutine over an iterator of
requests and a context, as grpc.aio has them. What a stream does to its messages
follows from the seed alone.
"""

from __future__ import annotations

import asyncio
import math
import random
from collections import Counter, deque
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, cast

import grpc
import grpc.aio

from voicemesh.errors import VoiceMeshError

GRAIN_S = 0.005
"""Messages arrive at whole multiples of this, so that many do at the very same moment."""

Handler = Callable[[AsyncIterator[Any], "Context"], Awaitable[None]]


class Died(Exception):
    """The replica that served a stream is no more."""


class _Direction:
    """One way of a stream."""

    def __init__(self, network: Network) -> None:
        self._network = network
        self._due_s = 0.0
        self._travelling: deque[Any] = deque()
        self._arrived: deque[Any] = deque()
        self._waiter: asyncio.Future[None] | None = None
        self.broken = False

    def send(self, message: Any) -> None:
        loop = asyncio.get_running_loop()
        if hasattr(message, "CopyFrom"):  # What its sender does to it later must not be seen.
            sent, message = message, type(message)()
            message.CopyFrom(sent)
        self._travelling.append(message)
        arrives_s = math.ceil((loop.time() + self._network.delay_s()) / GRAIN_S) * GRAIN_S
        self._due_s = max(self._due_s, arrives_s)
        loop.call_at(self._due_s, self._arrive)

    def _arrive(self) -> None:
        if self.broken or not self._travelling:
            return
        self._arrived.append(self._travelling.popleft())
        self._wake()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def fail(self, error: Any) -> None:
        """Nothing that is on the way arrives, but ``error`` does, at once."""
        if not self.broken:
            self.broken = True
            self._arrived.append(error)
            self._wake()

    async def receive(self) -> Any:
        while not self._arrived:
            self._waiter = asyncio.get_running_loop().create_future()
            await self._waiter
        message = self._arrived[0]
        if message is grpc.aio.EOF or isinstance(message, BaseException):
            return message  # It is found there again and again.
        return self._arrived.popleft()


class Context:
    """What a handler writes to."""

    def __init__(self, responses: _Direction) -> None:
        self._responses = responses

    async def write(self, message: Any) -> None:
        await asyncio.sleep(0)
        self._responses.send(message)


class Call:
    """The client's side of a stream."""

    def __init__(self, network: Network, path: str, opened: bool) -> None:
        self.path = path
        self._network = network
        self._requests = _Direction(network)
        self._responses = _Direction(network)
        self._error: grpc.aio.AioRpcError | None = None
        self._ended = asyncio.get_running_loop().create_future()
        self._server = asyncio.get_running_loop().create_task(self._serve(opened), name=path)
        network.calls.add(self)
        network.begun(path).set()
        self._server.add_done_callback(lambda _: network.calls.discard(self))

    async def _serve(self, opened: bool) -> None:
        if not opened:  # wait_for_ready
            await self._network.is_up(self.path).wait()
        try:
            await self._network.handlers[self.path](self._incoming(), Context(self._responses))
        except Died:
            self._break(grpc.StatusCode.UNAVAILABLE, "the replica died")
        except VoiceMeshError as error:
            self._break(error.status, str(error))
        else:
            self._responses.send(grpc.aio.EOF)

    async def _incoming(self) -> AsyncIterator[Any]:
        while True:
            message = await self._requests.receive()
            if isinstance(message, BaseException):
                raise message
            if message is grpc.aio.EOF:
                return
            yield message

    def kill(self) -> None:
        """The replica that serves this stream dies."""
        self._requests.fail(Died())
        self._server.cancel()
        self._break(grpc.StatusCode.UNAVAILABLE, "the replica died")

    def _break(self, code: grpc.StatusCode, details: str) -> None:
        if self._error is None:
            none = grpc.aio.Metadata()
            self._error = grpc.aio.AioRpcError(code, none, none, details)
            self._responses.fail(self._error)

    # As grpc.aio.StreamStreamCall has them.

    async def write(self, message: Any) -> None:
        await asyncio.sleep(0)
        if self.done():
            raise asyncio.InvalidStateError
        self._requests.send(message)

    async def read(self) -> Any:
        try:
            message = await self._responses.receive()
        except asyncio.CancelledError:
            self.cancel()  # So it is with gRPC.
            raise
        over = message is grpc.aio.EOF or isinstance(message, BaseException)
        if over and not self._ended.done():
            self._ended.set_result(None)
        if isinstance(message, BaseException):
            raise message
        return message

    def done(self) -> bool:
        return self._ended.done() or self._error is not None

    async def code(self) -> grpc.StatusCode:
        return grpc.StatusCode.OK if self._error is None else self._error.code()

    async def details(self) -> str:
        return "" if self._error is None else self._error.details() or ""

    async def initial_metadata(self) -> grpc.aio.Metadata:
        return grpc.aio.Metadata()

    async def trailing_metadata(self) -> grpc.aio.Metadata:
        return grpc.aio.Metadata()

    async def done_writing(self) -> None:
        self._requests.send(grpc.aio.EOF)

    def cancel(self) -> bool:
        if not self.done():
            self._break(grpc.StatusCode.CANCELLED, "cancelled by the client")
            # A handler sees the end of its requests first, and is cancelled a moment later.
            self._requests.fail(grpc.aio.EOF)
            asyncio.get_running_loop().call_soon(self._server.cancel)
        return True


class Network:
    """All channels of one simulation."""

    def __init__(self, seed: int, longest_delay_s: float) -> None:
        """A message takes at most so long, but for those that it must not overtake."""
        self._random = random.Random(seed)
        self.longest_delay_s = longest_delay_s
        self.handlers: dict[str, Handler] = {}
        self._up: dict[str, asyncio.Event] = {}
        self._begun: dict[str, asyncio.Event] = {}
        self.calls: set[Call] = set()
        """Streams whose handler runs."""
        self.lost: list[str] = []
        """The methods whose streams died while they were in use."""
        self.mishaps: Counter[str] = Counter()
        """How many calls of a method are still to fail in a way that nobody expects."""

    def delay_s(self) -> float:
        """Mostly short, sometimes long: a queue on the way makes a message late, not a coin."""
        return float(self.longest_delay_s * self._random.random() ** 3)

    def serve(self, path: str, handler: Handler) -> None:
        """``handler`` serves the method of that full name."""
        self.handlers[path] = handler
        self._begun[path] = asyncio.Event()
        self._up[path] = asyncio.Event()
        self._up[path].set()

    def is_up(self, path: str) -> asyncio.Event:
        """Set unless the service behind a method is being restarted."""
        return self._up[path]

    def begun(self, path: str) -> asyncio.Event:
        """Set with every stream of a method that begins."""
        return self._begun[path]

    @property
    def channel(self) -> grpc.aio.Channel:
        """This network, for stubs: it has of a channel what they use."""
        return cast(grpc.aio.Channel, self)

    async def kill(self, path: str, outage_s: float) -> None:
        """The replica behind a method dies, with all its streams; another one follows it."""
        self._up[path].clear()
        for call in [call for call in self.calls if call.path == path]:
            self.lost.append(path)
            call.kill()
        await asyncio.sleep(outage_s)
        self._up[path].set()

    # As grpc.aio.Channel has them.

    def stream_stream(self, path: str, *_: object, **__: object) -> Callable[..., Call]:
        def call(wait_for_ready: bool = False) -> Call:
            if self.mishaps[path] > 0:
                self.mishaps[path] -= 1
                raise RuntimeError(f"a call of {path} fails on purpose")
            return Call(self, path, opened=self._up[path].is_set())

        return call

    def unary_unary(self, path: str, *_: object, **__: object) -> Callable[..., Any]:
        def refuse(*_: object, **__: object) -> Any:
            raise AssertionError(f"nobody was to call {path}")

        return refuse

    unary_stream = unary_unary

    async def close(self) -> None:
        """A client closes its channel: messages under way still travel."""
