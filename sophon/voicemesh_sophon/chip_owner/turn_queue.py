"""Who goes next on which cores of a chip: the rules alone, without threads and clocks.

Every step on the chip takes a turn: it holds the cores that it works on while it runs.
When a step ends, the waiting one with the highest priority goes next, whichever came
first among equals. So nobody waits longer for somebody of lower priority than the one
step that is running, and the longest step is a launch. Steps on different cores run at
the same time.

The steps of one request come one right after the other. Between two of them the chip is
handed over only where somebody waits who goes ahead of the next one.
"""

from __future__ import annotations

import threading


class Turn:
    """A step that waits for its cores, or holds them."""

    def __init__(self, priority: int, cores: frozenset[int], what: str, loading: bool) -> None:
        """A lower number is a higher priority. ``what`` is done, in words."""
        self.priority = priority
        self.cores = cores
        self.what = what
        self.loading = loading
        self.granted = threading.Event()
        self.began = 0.0
        """On the clock of whoever grants it."""


class TurnQueue:
    """Grants the cores of a chip by priority, then in the order of asking."""

    def __init__(self) -> None:
        """All cores are free."""
        self.running: list[Turn] = []
        self.waiting: list[Turn] = []
        """By priority; never made shorter, only put in another's place, so that it may be
        looked at by anybody."""

    def enter(self, mine: Turn) -> list[Turn]:
        """Somebody asks for its cores; those who go now."""
        place = len(self.waiting)
        while place and self.waiting[place - 1].priority > mine.priority:
            place -= 1
        self.waiting.insert(place, mine)
        return self._granted()

    def leave(self, mine: Turn) -> list[Turn]:
        """A step has ended; those who go now."""
        self.running.remove(mine)
        return self._granted()

    def goes_on(self, mine: Turn, cores: frozenset[int]) -> bool:
        """Whether a turn that has ended may go on as one on ``cores`` for the same request."""
        waiting = self.waiting
        if waiting and waiting[0].priority <= mine.priority:
            return False
        return mine.cores == cores

    def _granted(self) -> list[Turn]:
        """Let those go whose cores are free and wanted by nobody ahead of them."""
        taken: set[int] = set()
        for turn in self.running:
            taken |= turn.cores
        go: list[Turn] = []
        still: list[Turn] = []
        for one in self.waiting:
            (go if taken.isdisjoint(one.cores) else still).append(one)
            taken |= one.cores
        self.running += go
        self.waiting = still
        return go
