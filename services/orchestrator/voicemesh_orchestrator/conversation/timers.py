"""The waits of a conversation, which all end together."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import ParamSpec

P = ParamSpec("P")


class Timers:
    """Calls that are due unless something happens before."""

    def __init__(self) -> None:
        """Nothing is waited for."""
        self._timers: list[asyncio.TimerHandle] = []

    def after(
        self, seconds: float, call: Callable[P, None], *args: P.args, **kwargs: P.kwargs
    ) -> None:
        """Make ``call`` so many seconds from now, besides what is waited for already."""
        loop = asyncio.get_running_loop()
        self._timers.append(loop.call_later(seconds, lambda: call(*args, **kwargs)))

    def cancel(self) -> None:
        """Wait for nothing any more."""
        for timer in self._timers:
            timer.cancel()
        self._timers.clear()
