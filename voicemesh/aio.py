"""A small asyncio kit: a channel with close, task sets, cancel-and-wait.

Every task of the mesh belongs to a :class:`TaskSet`, so that none is lost and
none outlives its owner. Channels are bounded: who fills one faster than it is
drained is told so.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import AsyncIterator, Coroutine
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

    Tasks that are done already are left as they are.
    """
    current = asyncio.current_task()
    live = [t for t in tasks if t is not None and t is not current and not t.done()]
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
    """Run ``work`` to its end: a cancel of the caller takes effect only then.

    For clean-up: gRPC tells a handler of a client's cancel first as the end of
    the requests, and cancels the handler a moment later, while it cleans up.
    """
    task = asyncio.get_running_loop().create_task(work, name=name)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait({task})
        raise


async def within(seconds: float, task: asyncio.Task[T]) -> bool:
    """Wait for ``task`` at most that long; True when it is done.

    Unlike ``asyncio.wait_for`` this leaves the task running: a read on a gRPC
    stream must not be cancelled, since that cancels the whole RPC.
    """
    done, _ = await asyncio.wait({task}, timeout=seconds)
    return bool(done)
