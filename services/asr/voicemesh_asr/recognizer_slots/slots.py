"""The recogniser's slots: each is lent to somebody who speaks, for the utterance."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable
from typing import Protocol

from voicemesh import metrics
from voicemesh.errors import Busy
from voicemesh.v1.common_pb2 import Slots
from voicemesh_asr.metrics import SLOT_WAIT

_KIND = "utterances"


class Borrower(Protocol):
    """One stream, which borrows a slot for each of its utterances."""

    async def let_go(self) -> None:
        """Close the recogniser session that was kept open between utterances. Never raises."""


class RecognizerSlots:
    """Lends ``total`` slots, first come first served; nobody waits longer than ``wait_s``.

        silent ──claim──▶ waiting ──▶ speaking ──give_back──▶ silent, session kept
           ▲                 └─ Busy after wait_s                  │
           └─────────────── another claims, no slot is free ───────┘

    A slot that is given back while nobody waits stays with its speaker's open session, so
    that the next utterance begins without opening one. It is free all the same: whoever speaks
    next and finds no unused slot gets that of the speaker who has been silent longest.
    """

    def __init__(self, total: int, wait_s: float, refusal: Callable[[], Busy]) -> None:
        """``refusal`` makes the error of who has waited in vain."""
        self.total = total
        self.wait_s = wait_s
        self._refusal = refusal
        self._used = 0
        self._kept: dict[Borrower, None] = {}  # Who has been silent longest comes first.
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._evicting = asyncio.Lock()
        metrics.SLOTS.labels(_KIND).set(total)
        metrics.STREAMS.labels(_KIND).set(0)

    @property
    def used(self) -> int:
        """How many utterances are being recognised."""
        return self._used

    def slots(self) -> Slots:
        """The count as it crosses the wire."""
        return Slots(total=self.total, used=self._used)

    @property
    def has_unused(self) -> bool:
        """Whether there is a slot that nobody speaks into and nobody keeps a session for."""
        return self._used + len(self._kept) < self.total

    def claim(self, borrower: Borrower) -> asyncio.Future[None]:
        """A slot for an utterance that begins: done when it is there, Busy when none came.

        To be given back once it is done, and cancelled where nobody wants it any more.
        """
        loop = asyncio.get_running_loop()
        granted: asyncio.Future[None] = loop.create_future()
        if self._used < self.total:
            self._kept.pop(borrower, None)
            self._count(+1)
            granted.set_result(None)
            return granted
        self._waiting.append(granted)
        began = time.monotonic()
        timer = loop.call_later(self.wait_s, self._refuse, granted)

        def over(_: object) -> None:
            timer.cancel()
            if granted in self._waiting:
                self._waiting.remove(granted)
            SLOT_WAIT.observe(time.monotonic() - began)

        granted.add_done_callback(over)
        return granted

    def _refuse(self, granted: asyncio.Future[None]) -> None:
        if not granted.done():
            metrics.REFUSED.labels(_KIND, "busy").inc()
            granted.set_exception(self._refusal())

    def _count(self, change: int) -> None:
        self._used += change
        metrics.STREAMS.labels(_KIND).set(self._used)

    async def make_room(self) -> None:
        """Close sessions that silent speakers keep until the caller, who has a slot, can open one.

        One caller at a time: until a kept session is closed, its place is not free.
        """
        async with self._evicting:
            while self._kept and self._used + len(self._kept) > self.total:
                silent = next(iter(self._kept))
                del self._kept[silent]
                await silent.let_go()

    async def give_back(self, borrower: Borrower, *, keep: bool) -> None:
        """The utterance is over. ``keep``: the session may stay open, for the next one."""
        if not keep or self._next_in_line() is not None:
            keep = False
            await borrower.let_go()
        heir = self._next_in_line()
        if heir is not None:
            heir.set_result(None)
            return
        self._count(-1)
        if keep:
            self._kept[borrower] = None

    def _next_in_line(self) -> asyncio.Future[None] | None:
        return next((granted for granted in self._waiting if not granted.done()), None)

    async def forget(self, borrower: Borrower) -> None:
        """A silent borrower leaves."""
        self._kept.pop(borrower, None)
        await borrower.let_go()

    async def close_kept(self) -> None:
        """Close the sessions of all who are silent: their engine is given up."""
        while self._kept:
            await self.forget(next(iter(self._kept)))
