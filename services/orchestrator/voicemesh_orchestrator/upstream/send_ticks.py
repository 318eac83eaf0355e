"""Moments at which many conversations send together."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

Member = Callable[[], None]

_PHASES = 3
_FEW = 8  # So many cost a few percent of a core at most, whatever they send.


class _Phase:
    """Calls its members once a period, while it has any."""

    def __init__(self, period_s: float, offset_s: float) -> None:
        self._period_s = period_s
        self._offset_s = offset_s
        self._members: dict[Member, None] = {}
        self._timer: asyncio.TimerHandle | None = None

    def __len__(self) -> int:
        return len(self._members)

    def join(self, member: Member) -> None:
        self._members[member] = None
        if self._timer is None:
            self._set_timer()

    def leave(self, member: Member) -> None:
        self._members.pop(member, None)
        if not self._members and self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _set_timer(self) -> None:
        now = time.monotonic()
        wait = self._period_s - (now - self._offset_s) % self._period_s
        self._timer = asyncio.get_running_loop().call_later(wait, self._strike)

    def _strike(self) -> None:
        self._timer = None
        for member in tuple(self._members):
            member()
        if self._members:
            self._set_timer()


class SendTicks:
    """Lets conversations send what has gathered at common moments.

    On a stream of audio the wake-ups cost more than the bytes: messages that
    leave together travel in one packet and wake the other side once. A third of
    the conversations has each moment, so that nobody waits for all the others.
    Where there are few, nothing is saved and nobody has to wait.
    """

    def __init__(self, period_s: float) -> None:
        """``period_s``: between two moments of one conversation."""
        self._phases = [_Phase(period_s, n * period_s / _PHASES) for n in range(_PHASES)]
        self.gathers = False
        """Whether it is worth waiting for the next moment."""

    def join(self, member: Member) -> Callable[[], None]:
        """Call ``member`` once a period until the returned function is called."""
        phase = min(self._phases, key=len)
        phase.join(member)
        self._count()

        def leave() -> None:
            phase.leave(member)
            self._count()

        return leave

    def _count(self) -> None:
        self.gathers = sum(map(len, self._phases)) > _FEW
