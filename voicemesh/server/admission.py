"""Admission: a fixed number of slots, taken at once or refused at once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from voicemesh import metrics
from voicemesh.errors import Busy, Unavailable
from voicemesh.v1.common_pb2 import Slots


class Admission:
    """Counts slots. There is no queue: a caller is admitted now or told why not."""

    def __init__(self, total: int, what: str) -> None:
        """``what`` names the slots for people, such as "speakers"."""
        self.total = total
        self.used = 0
        self._what = what
        self._closed = False
        self._idle = asyncio.Event()
        self._idle.set()
        self.changed: Callable[[int], None] = lambda used: None
        """Told how many slots are taken whenever that changes."""
        metrics.SLOTS.labels(what).set(total)
        metrics.STREAMS.labels(what).set(0)

    @contextmanager
    def slot(self) -> Iterator[None]:
        """Hold a slot; Busy when all are taken, Unavailable when draining."""
        if self._closed:
            metrics.REFUSED.labels(self._what, "draining").inc()
            raise Unavailable("this process is stopping; connect again to reach another")
        if self.used >= self.total:
            metrics.REFUSED.labels(self._what, "busy").inc()
            raise Busy(
                f"all {self.total} slots for {self._what} are taken; try again shortly",
                retry_after_ms=1000,
            )
        self.used += 1
        self._idle.clear()
        self._report()
        try:
            yield
        finally:
            self.used -= 1
            self._report()
            if self.used == 0:
                self._idle.set()

    def _report(self) -> None:
        metrics.STREAMS.labels(self._what).set(self.used)
        self.changed(self.used)

    def slots(self) -> Slots:
        """The count as it crosses the wire."""
        return Slots(total=self.total, used=self.used)

    def close(self) -> None:
        """Refuse whoever comes from now on."""
        self._closed = True

    async def idle(self) -> None:
        """Wait until no slot is taken."""
        await self._idle.wait()
