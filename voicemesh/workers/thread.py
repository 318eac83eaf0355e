"""A thread that runs the blocking calls of one device, in order."""

from __future__ import annotations

import asyncio
import logging
import time
import weakref
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, ParamSpec, TypeVar

from voicemesh.aio import uninterrupted
from voicemesh.cores import check_cores, pin_thread
from voicemesh.work_counter import WorkCounter

P = ParamSpec("P")
T = TypeVar("T")

log = logging.getLogger(__name__)

_CANCEL_GRACE_S = 10.0
"""Far above the longest launch of a chip, and of those that others have there before it."""


_workers: weakref.WeakSet[ThreadWorker] = weakref.WeakSet()


def longest_call() -> tuple[float, str]:
    """The longest call that is under way in this process: seconds so far, and its thread."""
    return max(((worker.call_s, worker.name) for worker in _workers), default=(0.0, ""))


class ThreadWorker:
    """One thread; calls run one after the other in the order they were made."""

    def __init__(self, name: str, cores: Sequence[int] = ()) -> None:
        """``name`` is the thread's name; ``cores`` are those that it is kept on, none: any.

        SettingsError where a core cannot be used here.
        """
        check_cores(cores)
        self.name = name
        self._executor = ThreadPoolExecutor(
            1, thread_name_prefix=name, initializer=pin_thread, initargs=(cores,)
        )
        self._since_s: float | None = None
        _workers.add(self)

    def _call(self, function: Callable[[], T]) -> T:
        self._since_s = time.monotonic()
        try:
            return function()
        finally:
            self._since_s = None

    @property
    def call_s(self) -> float:
        """How long the call under way has taken so far, in seconds; 0 where there is none."""
        since_s = self._since_s
        return 0.0 if since_s is None else time.monotonic() - since_s

    async def run(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call ``function`` in the thread and wait for its result."""
        loop = asyncio.get_running_loop()
        call = partial(function, *args, **kwargs)
        return await loop.run_in_executor(self._executor, self._call, call)

    async def spend(
        self, counter: WorkCounter, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """As ``run``, for work that ``counter`` counts in the thread.

        A cancel of the caller cancels ``counter``. It takes effect when the call has
        returned, so that all of it is counted; a call that has not begun is dropped,
        one that hangs is left alone in the end.
        """
        call = self._executor.submit(self._call, partial(function, *args, **kwargs))
        result = asyncio.wrap_future(call)
        try:
            await asyncio.wait({result})  # Cancelled, it leaves the call alone.
        except asyncio.CancelledError:
            counter.cancel()
            result.add_done_callback(_forget)
            if not call.cancel():
                ending = asyncio.wait({result}, timeout=_CANCEL_GRACE_S)
                await uninterrupted(ending, "a call that nobody waits for")
            raise
        return result.result()

    def close(self) -> None:
        """Drop what has not begun; a call under way ends by itself."""
        self._executor.shutdown(wait=False, cancel_futures=True)


def _forget(result: asyncio.Future[Any]) -> None:
    """Take note of how a call ended that nobody waits for."""
    if not result.cancelled() and (error := result.exception()) is not None:
        log.debug("a call that nobody waited for failed: %s", error)
