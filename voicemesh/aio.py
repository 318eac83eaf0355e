"""A small asyncio kit: a channel with close, task sets, cancel-and-wait.

Every task of the mesh belongs to a :class:`TaskSet`, so that none is lost and
none outlives its owner. Channels are bounded: who fills one faster than it is
drained is told so.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import suppress
from types import TracebackType
from typing import Any, Generic, TypeVar

T = TypeVar("T")

log = logging.getLogger(__name__)


class ChannelClosed(Exception):
    """The channel is closed, and for a receiver also empty."""


class ChannelFull(Exception):
    """The channel holds as much as it may."""


class Channel(Generic[T]):
    """A bounded queue of one event loop that can be closed.

    ``send`` never waits: it raises ChannelFull, because in a live conversation
    waiting only hides that somebody is too slow. What was sent before the close
    is still received.
    """

    def __init__(self, capacity: int) -> None:
        """``capacity``: the most items held at once."""
        self._items: deque[T] = deque()
        self._capacity = capacity
        self._waiters: deque[asyncio.Future[None]] = deque()
        self._closed = False

    def __len__(self) -> int:
        """The number of items that wait."""
        return len(self._items)

    @property
    def closed(self) -> bool:
        """Whether the channel takes nothing more."""
        return self._closed

    def send(self, item: T) -> None:
        """Append ``item``; ChannelFull or ChannelClosed when that cannot be."""
        if self._closed:
            raise ChannelClosed
        if len(self._items) >= self._capacity:
            raise ChannelFull
        self._items.append(item)
        self._wake_one()

    def close(self) -> None:
        """Take nothing more; receivers end once the channel is empty."""
        self._closed = True
        while self._waiters:
            self._wake_one()

    def clear(self) -> None:
        """Drop everything that waits."""
        self._items.clear()

    def _wake_one(self) -> None:
        while self._waiters:
            waiter = self._waiters.popleft()
            if not waiter.done():
                waiter.set_result(None)
                return

    async def receive(self) -> T:
        """The next item; ChannelClosed when there will be none."""
        while not self._items:
            if self._closed:
                raise ChannelClosed
            waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiters.append(waiter)
            try:
                await waiter
            except asyncio.CancelledError:
                if waiter.done() and not waiter.cancelled() and self._items:
                    self._wake_one()
                raise
        return self._items.popleft()

    async def __aiter__(self) -> AsyncIterator[T]:
        """Items until the channel is closed and empty."""
        while True:
            try:
                yield await self.receive()
            except ChannelClosed:
                return


async def cancel_and_wait(*tasks: asyncio.Task[Any] | None) -> None:
    """Cancel tasks and wait until they are gone; errors that they end with are logged.

    Who is done already keeps its result. An error that it ended with counts as known:
    its owner, who is leaving, would have read it had it mattered.
    """
    current = asyncio.current_task()
    live = [t for t in tasks if t is not None and t is not current and not t.done()]
    for task in tasks:
        if task is not None and task.done() and not task.cancelled():
            task.exception()  # Else asyncio would report it as never retrieved.
    if not live:
        return
    for task in live:
        task.cancel()
    for task, result in zip(live, await asyncio.gather(*live, return_exceptions=True), strict=True):
        if isinstance(result, Exception):
            log.warning("task %s ended with %r while it was cancelled", task.get_name(), result)


class TaskSet:
    """The tasks of one owner. A task that fails is reported, never lost."""

    def __init__(self) -> None:
        """Starts empty."""
        self._tasks: set[asyncio.Task[Any]] = set()

    def __len__(self) -> int:
        """The number of tasks that still run."""
        return len(self._tasks)

    def start(self, work: Coroutine[Any, Any, T], name: str) -> asyncio.Task[T]:
        """Run ``work`` as a task of this set."""
        task = asyncio.get_running_loop().create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("task %s failed", task.get_name(), exc_info=error)

    async def finish(self) -> None:
        """Wait for what runs."""
        if self._tasks:
            await asyncio.wait(set(self._tasks))

    async def close(self) -> None:
        """Cancel what runs and wait for it."""
        await cancel_and_wait(*self._tasks)


async def uninterrupted(work: Coroutine[Any, Any, T], name: str) -> T:
    """Run ``work`` to its end: a cancel of the caller, or many, takes effect only then.

    For clean-up: gRPC tells a handler of a client's cancel first as the end of
    the requests, and cancels the handler a moment later, while it cleans up.
    """
    task = asyncio.get_running_loop().create_task(work, name=name)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        while not task.done():
            with suppress(asyncio.CancelledError):
                await asyncio.wait({task})
        raise


async def within(seconds: float, task: asyncio.Task[T]) -> bool:
    """Wait for ``task`` at most that long; True when it is done.

    Unlike ``asyncio.wait_for`` this leaves the task running: a read on a gRPC
    stream must not be cancelled, since that cancels the whole RPC.
    """
    done, _ = await asyncio.wait({task}, timeout=seconds)
    return bool(done)


class SilenceLimit:
    """``asyncio.timeout`` for a stream: the limit begins again with each sign of life.

        async with SilenceLimit(60.0) as limit:
            async for message in stream:
                limit.heard()

    A sign of life only notes the time. A timer of its own for each message would
    cost a stream of audio as much as reading it.
    """

    def __init__(self, seconds: float, counts: Callable[[], bool] = lambda: True) -> None:
        """TimeoutError leaves the body after ``seconds`` without a sign of life.

        Where ``counts`` says no at that moment, it is asked again after as long.
        """
        self._seconds = seconds
        self._counts = counts
        self._timeout = asyncio.timeout(None)
        self._heard_s = 0.0
        self._timer: asyncio.TimerHandle | None = None

    def heard(self) -> None:
        """There is life."""
        self._heard_s = time.monotonic()

    @property
    def expired(self) -> bool:
        """Whether it was this limit that was exceeded."""
        return self._timeout.expired()

    def _look(self) -> None:
        if not self._counts():
            self.heard()
        left = self._heard_s + self._seconds - time.monotonic()
        loop = asyncio.get_running_loop()
        if left > 0:
            self._timer = loop.call_later(left, self._look)
        else:
            self._timeout.reschedule(loop.time())

    async def __aenter__(self) -> SilenceLimit:
        """Begin to count."""
        await self._timeout.__aenter__()
        self.heard()
        self._look()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Count no more."""
        if self._timer is not None:
            self._timer.cancel()
        await self._timeout.__aexit__(kind, error, trace)
