"""A clock that a test moves."""

from __future__ import annotations

import asyncio


class ManualClock:
    """Stands still until it is moved; sleepers wake when their moment has come."""

    def __init__(self) -> None:
        self._now_s = 100.0
        self._moved = asyncio.Condition()

    def now(self) -> float:
        return self._now_s

    async def sleep_until(self, moment_s: float) -> None:
        async with self._moved:
            await self._moved.wait_for(lambda: self._now_s >= moment_s)

    async def move(self, seconds: float) -> None:
        self._now_s += seconds
        async with self._moved:
            self._moved.notify_all()
