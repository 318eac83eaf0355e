"""The scheduler of a chip: which client's step runs next on which cores.

Every step on the chip takes a turn: it holds the cores that it works on while it runs.
When a step ends, the waiting one with the highest priority goes next, whichever came
first among equals. So nobody waits longer for somebody of lower priority than the one
step that is running, and the longest step is a launch. Steps on different cores run at
the same time. A step that holds its cores for longer than any should is overdue: the chip
hangs.
"""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager
from typing import Iterator

LAUNCH_WITHIN_S = 50.0
"""Seconds that a step other than loading may take. The longest launches that are published take
1.2 s; a service takes an engine for hung after 60 s, and shall find its chip replaced."""
LOAD_WITHIN_S = 600.0
"""Seconds for loading: a model of 8 B parameters comes from a slow disk within minutes."""


class _Turn:
    def __init__(self, priority: int, cores: frozenset[int], what: str, loading: bool) -> None:
        self.priority = priority
        self.cores = cores
        self.what = what
        self.loading = loading
        self.granted = threading.Event()
        self.began = 0.0


class Scheduler:
    """Grants the cores of a chip by priority, then in the order of asking."""

    def __init__(self) -> None:
        """All cores are free."""
        self._lock = threading.Lock()
        self._running: list[_Turn] = []
        self._waiting: list[_Turn] = []
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
        mine = _Turn(priority, cores, what, loading)
        waited_s = 0.0
        with self._lock:
            self._enter(mine)
        if not mine.granted.is_set():
            began = time.monotonic()
            mine.granted.wait()
            waited_s = mine.began - began
        try:
            yield waited_s
        finally:
            with self._lock:
                self._running.remove(mine)
                self._ended[priority] = time.monotonic()
                self._grant()

    def overdue(self, launch_within_s: float, load_within_s: float) -> str:
        """What holds its cores for longer than that, in words; empty: nothing does."""
        now = time.monotonic()
        with self._lock:
            for turn in self._running:
                took_s = now - turn.began
                if took_s > (load_within_s if turn.loading else launch_within_s):
                    return f"{turn.what} has not ended for {took_s:.1f} s"
        return ""

    def running(self) -> list[str]:
        """What is done now, in words."""
        with self._lock:
            return [turn.what for turn in self._running]

    def idle_s(self, below: int) -> float:
        """For how many seconds nobody of a priority ahead of ``below`` has had or wanted a turn."""
        with self._lock:
            if any(turn.priority < below for turn in (*self._running, *self._waiting)):
                return 0.0
            ended = [when for priority, when in self._ended.items() if priority < below]
            return time.monotonic() - max(ended, default=self._began)

    def waiting(self, priority: int) -> int:
        """How many steps of a priority wait now."""
        with self._lock:
            return sum(one.priority == priority for one in self._waiting)

    def _enter(self, mine: _Turn) -> None:
        place = len(self._waiting)
        while place and self._waiting[place - 1].priority > mine.priority:
            place -= 1
        self._waiting.insert(place, mine)
        self._grant()

    def _grant(self) -> None:
        """Let those go whose cores are free and wanted by nobody ahead of them."""
        taken: set[int] = set()
        for turn in self._running:
            taken |= turn.cores
        still: list[_Turn] = []
        for one in self._waiting:
            if taken.isdisjoint(one.cores):
                one.began = time.monotonic()
                self._running.append(one)
                one.granted.set()
            else:
                still.append(one)
            taken |= one.cores
        self._waiting = still
