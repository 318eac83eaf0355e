"""Devices that only take time: for engines that replay measured delays without CPU."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager


class Job:
    """A piece of work whose steps are due at set times after its begin."""

    def __init__(self) -> None:
        """Begins now."""
        self._began_s = time.monotonic()

    @property
    def elapsed_s(self) -> float:
        """Seconds since the begin."""
        return time.monotonic() - self._began_s

    async def reach(self, seconds: float, grain_s: float = 0.0) -> None:
        """Wait until ``seconds`` after the begin; lateness of one step delays no later one.

        Who has to wait waits up to ``grain_s`` longer, so that many small steps do
        not take a wake-up each.
        """
        delay = seconds - self.elapsed_s
        if delay > 0:
            await asyncio.sleep(delay + grain_s)


class SimulatedDevice:
    """Works on a number of jobs at once; others wait their turn in the order they came.

    Waiting is bounded by the admission of the service that owns the device.
    """

    def __init__(self, jobs_at_once: int) -> None:
        """``jobs_at_once``: 0 sets no limit."""
        self._places = asyncio.Semaphore(jobs_at_once) if jobs_at_once else None

    @asynccontextmanager
    async def job(self) -> AsyncIterator[Job]:
        """Hold a place on the device; the job begins when there is one."""
        async with AsyncExitStack() as held:
            if self._places is not None:
                await held.enter_async_context(self._places)
            yield Job()
