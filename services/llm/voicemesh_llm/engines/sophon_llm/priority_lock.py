"""A lock that questions get before work in the background."""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import count


class PriorityLock:
    """Held by one at a time. Somebody who waits goes before work that nobody waits for yet.

    A chip without batching gains nothing by two replies at once: both would come at
    half the pace.
    """

    def __init__(self) -> None:
        """Free."""
        self._busy = False
        self._waiting: list[tuple[bool, int, asyncio.Future[None]]] = []
        self._order = count()

    @asynccontextmanager
    async def hold(self, background: bool) -> AsyncIterator[None]:
        """Wait for the lock; it is given back at the end of the context."""
        if self._busy:
            place = asyncio.get_running_loop().create_future()
            heapq.heappush(self._waiting, (background, next(self._order), place))
            try:
                await place
            except asyncio.CancelledError:
                if place.done() and not place.cancelled():
                    self._pass_on()  # The lock came together with the cancellation.
                raise
        self._busy = True
        try:
            yield
        finally:
            self._pass_on()

    def _pass_on(self) -> None:
        """Give the lock to the first who still waits."""
        while self._waiting:
            _, _, place = heapq.heappop(self._waiting)
            if not place.done():
                place.set_result(None)
                return
        self._busy = False
