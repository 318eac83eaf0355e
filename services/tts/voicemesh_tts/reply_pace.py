"""How soon one stream may have another reply begun."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable


class ReplyPace:
    """``per_second`` replies, as many of them at once after a pause.

    What an engine does for a reply that is taken back at once is lost, and others wait for
    it. A conversation takes back one or two a turn; this is for a client that does nothing else.
    """

    def __init__(self, per_second: float, now: Callable[[], float] = time.monotonic) -> None:
        """``now``: a clock, in seconds."""
        self._per_second = per_second
        self._now = now
        self._most = max(1.0, per_second)
        self._credit = self._most
        self._counted_s = now()

    def wait_s(self) -> float:
        """Seconds until another reply may be begun; 0: it may now."""
        now = self._now()
        self._credit = min(self._most, self._credit + (now - self._counted_s) * self._per_second)
        self._counted_s = now
        return max(0.0, (1 - self._credit) / self._per_second)

    def begin(self) -> None:
        """Another reply is begun."""
        self._credit -= 1

    async def turn(self) -> None:
        """Wait as long as that, and begin. Who is cancelled meanwhile has begun nothing."""
        if (wait_s := self.wait_s()) > 0:
            await asyncio.sleep(wait_s)
        self.begin()
