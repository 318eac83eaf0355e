"""The scheduler of a chip: has each step wait until it may go, by the rules of ``turn_queue``.

A step that holds its cores for longer than any should is overdue: the chip hangs.
"""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager
from typing import Iterator

from .turn_queue import Turn, TurnQueue

LAUNCH_WITHIN_S = 50.0
"""Seconds that a step other than loading may take. The longest launches that are published take
1.2 s; a service takes an engine for hung after 60 s, and shall find its chip replaced."""
LOAD_WITHIN_S = 600.0
"""Seconds for loading: a model of 8 B parameters comes from a slow disk within minutes."""


class Scheduler:
    """Grants the cores of a chip to the threads that ask."""

    def __init__(self) -> None:
        """All cores are free."""
        self._lock = threading.Lock()
        self.queue = TurnQueue()
        self._began = time.monotonic()
        self._ended: dict[int, float] = {}
        """When the last turn of each priority ended."""

    @contextmanager
    def turn(
        self, priority: int, cores: frozenset[int], what: str, loading: bool = False
    ) -> Iterator[float]:
        """Hold ``cores``, at least one of them; yields the seconds that were waited.

        A lower number is a higher priority. ``what`` is done, in words; ``loading`` may
        take longer.
        """
        mine = Turn(priority, cores, what, loading)
        waited_s = self.take(mine)
        try:
            yield waited_s
        finally:
            self.give_back(mine)

    def take(self, mine: Turn) -> float:
        """Wait until a turn is granted; the seconds that took."""
        asked = time.monotonic()
        with self._lock:
            _go(self.queue.enter(mine))
        if mine.granted.is_set():
            return 0.0
        mine.granted.wait()
        return mine.began - asked

    def give_back(self, mine: Turn) -> None:
        """A turn is over."""
        with self._lock:
            self._ended[mine.priority] = time.monotonic()
            _go(self.queue.leave(mine))

    def overdue(self, launch_within_s: float, load_within_s: float) -> str:
        """What holds its cores for longer than that, in words; empty: nothing does."""
        now = time.monotonic()
        with self._lock:
            for turn in self.queue.running:
                took_s = now - turn.began
                if took_s > (load_within_s if turn.loading else launch_within_s):
                    return f"{turn.what} has not ended for {took_s:.1f} s"
        return ""

    def running(self) -> list[str]:
        """What is done now, in words."""
        with self._lock:
            return [turn.what for turn in self.queue.running]

    def idle_s(self, below: int) -> float:
        """For how many seconds nobody of a priority ahead of ``below`` has had or wanted a turn."""
        with self._lock:
            turns = (*self.queue.running, *self.queue.waiting)
            if any(turn.priority < below for turn in turns):
                return 0.0
            ended = [when for priority, when in self._ended.items() if priority < below]
            return time.monotonic() - max(ended, default=self._began)

    def waiting(self, priority: int) -> int:
        """How many steps of a priority wait now."""
        with self._lock:
            return sum(one.priority == priority for one in self.queue.waiting)


def _go(granted: list[Turn]) -> None:
    for turn in granted:
        turn.began = time.monotonic()
        turn.granted.set()


class WithinTurn:
    """As Turns, for steps of a request that is in a turn already."""

    def begin(self, cores: frozenset[int], what: str) -> float:
        """See Turns: nothing is waited for."""
        return 0.0

    def end(self) -> None:
        """See Turns."""


class Turns:
    """The turns of a request's steps, one after the other.

    A turn goes on as the next one where that wants the same cores and nobody goes ahead of
    it: to hand the chip over to oneself is a good part of what a launch costs.
    """

    def __init__(self, scheduler: Scheduler, priority: int) -> None:
        """Nothing is held before ``begin``."""
        self._scheduler = scheduler
        self._queue = scheduler.queue
        self._priority = priority
        self._held: Turn | None = None

    def begin(self, cores: frozenset[int], what: str) -> float:
        """Hold ``cores`` for the next step, in words ``what``; the seconds that were waited."""
        held = self._held
        if held is not None:
            # Without the lock: who comes in this moment waits for one step, as who comes in
            # the next one.
            if self._queue.goes_on(held, cores):
                held.what, held.began = what, time.monotonic()
                return 0.0
            self.end()
        mine = Turn(self._priority, cores, what, loading=False)
        waited_s = self._scheduler.take(mine)
        self._held = mine
        return waited_s

    def end(self) -> None:
        """The last step is over."""
        held, self._held = self._held, None
        if held is not None:
            self._scheduler.give_back(held)
