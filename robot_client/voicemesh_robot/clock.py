"""The clock that pacing and playback go by; tests bring one of their own."""

from __future__ import annotations

import asyncio
import time
from typing import Protocol


class Clock(Protocol):
    """Seconds of any epoch that never run backwards."""

    def now(self) -> float:
        """The time now, in seconds."""
        ...

    async def sleep_until(self, moment_s: float) -> None:
        """Return at ``moment_s`` or as soon after it as possible."""
        ...


class MonotonicClock:
    """The machine's monotonic clock."""

    def now(self) -> float:
        """Seconds since some start of the machine's choice."""
        return time.monotonic()

    async def sleep_until(self, moment_s: float) -> None:
        """Sleep on the event loop. A moment that is past still yields to other tasks."""
        await asyncio.sleep(max(0.0, moment_s - self.now()))
