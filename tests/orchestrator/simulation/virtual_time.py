"""An event loop whose time is a number: it jumps to the next timer instead of waiting for it."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Callable, Coroutine
from contextlib import suppress
from contextvars import Context
from typing import Any, TypeVar, TypeVarTuple, Unpack
from unittest.mock import patch

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

_BEGIN_S = 1_000.0  # Not zero, which a "never" is often written as.


class Deadlock(AssertionError):
    """Nothing is ready and no timer is set: nothing will ever happen again."""


class _JumpingSelector(selectors.SelectSelector):
    """Has no files to look at; where a loop would sleep, its time jumps."""

    def __init__(self) -> None:
        super().__init__()
        self.now_s = _BEGIN_S

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            raise Deadlock("nothing is ready and no timer is set, but somebody still waits")
        self.now_s += timeout
        return []


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """Runs what is ready in no time at all, in the order in which it became ready."""

    def __init__(self) -> None:
        self._jumping = _JumpingSelector()
        super().__init__(self._jumping)

    def time(self) -> float:
        return self._jumping.now_s

    def call_soon_threadsafe(
        self,
        callback: Callable[[Unpack[Ts]], object],
        *args: *Ts,
        context: Context | None = None,
    ) -> asyncio.Handle:
        """There is one thread, and nothing that a word from another one could wake."""
        return self.call_soon(callback, *args, context=context)

    def timers(self) -> list[asyncio.TimerHandle]:
        """The timers that are set."""
        # The loop tells nobody else about them, and one that is forgotten is a leak.
        return [timer for timer in self._scheduled if not timer.cancelled()]  # type: ignore[attr-defined]  # of asyncio


def run_in_virtual_time(work: Coroutine[Any, Any, T]) -> T:
    """The result of ``work``, whose every clock is the loop's; Deadlock where it hangs.

    ``time.monotonic`` is the loop's time too, because that is what asyncio's own loop
    makes of it and the code under test relies on both being the same.
    """
    loop = VirtualTimeLoop()
    try:
        with patch("time.monotonic", loop.time):
            try:
                return loop.run_until_complete(work)
            finally:
                _end_all(loop)
    finally:
        loop.close()


def _end_all(loop: VirtualTimeLoop) -> None:
    """End what is left after a failure, so that it tells no more than the failure itself."""
    loop.set_exception_handler(lambda *_: None)
    left = asyncio.all_tasks(loop)
    for task in left:
        task.cancel()
    if left:
        with suppress(Deadlock):
            loop.run_until_complete(asyncio.wait(left))
