"""The scheduler of a chip: which client's step runs next on which cores.

Every step on the chip takes a turn: it holds the cores that it works on while it runs.
When a step ends, the waiting one with the highest priority goes next, whichever came
first among equals. So nobody waits longer for somebody of lower priority than the one
step that is running, and the longest step is a launch. Steps on different cores run at
the same time.
"""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager
from typing import Iterator


class _Waiting:
    def __init__(self, priority: int, cores: frozenset[int]) -> None:
        self.priority = priority
        self.cores = cores
        self.granted = threading.Event()


class Scheduler:
    """Grants the cores of a chip by priority, then in the order of asking."""

    def __init__(self) -> None:
        """All cores are free."""
        self._lock = threading.Lock()
        self._busy: list[frozenset[int]] = []
        self._waiting: list[_Waiting] = []

    @contextmanager
    def turn(self, priority: int, cores: frozenset[int]) -> Iterator[float]:
        """Hold ``cores``, at least one of them; yields the seconds that were waited.

        A lower number is a higher priority.
        """
        waited_s = 0.0
        with self._lock:
            mine = self._enter(priority, cores)
        if not mine.granted.is_set():
            began = time.monotonic()
            mine.granted.wait()
            waited_s = time.monotonic() - began
        try:
            yield waited_s
        finally:
            with self._lock:
                self._busy.remove(cores)
                self._grant()

    def waiting(self, priority: int) -> int:
        """How many steps of a priority wait now."""
        with self._lock:
            return sum(one.priority == priority for one in self._waiting)

    def _enter(self, priority: int, cores: frozenset[int]) -> _Waiting:
        mine = _Waiting(priority, cores)
        place = len(self._waiting)
        while place and self._waiting[place - 1].priority > priority:
            place -= 1
        self._waiting.insert(place, mine)
        self._grant()
        return mine

    def _grant(self) -> None:
        """Let those go whose cores are free and wanted by nobody ahead of them."""
        taken = set().union(*self._busy) if self._busy else set()
        still: list[_Waiting] = []
        for one in self._waiting:
            if taken.isdisjoint(one.cores):
                self._busy.append(one.cores)
                one.granted.set()
            else:
                still.append(one)
            taken |= one.cores
        self._waiting = still
