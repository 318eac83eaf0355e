"""CPU and memory of server processes, and the cores that they run on."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np
import psutil

_SAMPLE_S = 1.0
_MB = 1e6
_KB = 1e3


@contextmanager
def on_core(core: int | None) -> Iterator[None]:
    """Processes that are started within run on that core; None: on any."""
    if core is None:
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def _tree(pid: int) -> list[psutil.Process]:
    try:
        root = psutil.Process(pid)
        return [root, *root.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def _cpu_s(pid: int) -> float:
    """User and system time of a process and of the children that it has."""
    total = 0.0
    for process in _tree(pid):
        try:
            times = process.cpu_times()
        except psutil.NoSuchProcess:
            continue
        total += times.user + times.system
    return total


def _rss(pid: int) -> int:
    """Resident memory of a process and its children, in bytes."""
    total = 0
    for process in _tree(pid):
        try:
            total += process.memory_info().rss
        except psutil.NoSuchProcess:
            continue
    return total


@dataclass
class ProcessUsage:
    """What one service used over a run."""

    cpu_s: float
    rss_idle: int
    """Bytes before the first conversation."""
    rss_most: int
    """Bytes at the most under load."""
    samples: list[tuple[int, int]] = field(default_factory=list)
    """Turns that had ended, and the bytes at that moment."""

    def as_json(
        self, conversations: int, conversation_s: float, warm_turns: int
    ) -> dict[str, float | None]:
        """The figures per conversation, and the growth per turn after warm-up."""
        grown = max(0, self.rss_most - self.rss_idle)
        return {
            "cpu_ms_per_conversation_second": round(self.cpu_s * 1000 / conversation_s, 2)
            if conversation_s
            else None,
            "rss_mb_per_conversation": round(grown / conversations / _MB, 3),
            "rss_slope_kb_per_turn": self._slope(warm_turns),
        }

    def _slope(self, warm_turns: int) -> float | None:
        """Least squares over the samples after ``warm_turns``; None for too few."""
        warm = [(turns, rss) for turns, rss in self.samples if turns >= warm_turns]
        if len({turns for turns, _ in warm}) < 3:
            return None
        turns, rss = np.array(warm, dtype=float).T
        return round(float(np.polyfit(turns, rss, 1)[0]) / _KB, 3)


def together(usages: Mapping[str, ProcessUsage]) -> ProcessUsage:
    """All services as one."""
    columns = zip(*(usage.samples for usage in usages.values()), strict=True)
    samples = [(column[0][0], sum(rss for _, rss in column)) for column in columns]
    return ProcessUsage(
        cpu_s=sum(usage.cpu_s for usage in usages.values()),
        rss_idle=sum(usage.rss_idle for usage in usages.values()),
        rss_most=max(
            (rss for _, rss in samples), default=sum(usage.rss_most for usage in usages.values())
        ),
        samples=samples,
    )


class UsageMeter:
    """Watches processes by name while ``run`` runs."""

    def __init__(self, pids: Mapping[str, int], turns: Callable[[], int]) -> None:
        """``turns`` tells how many turns have ended so far."""
        self._pids = pids
        self._turns = turns
        self._began_s = {name: _cpu_s(pid) for name, pid in pids.items()}
        self._idle = {name: _rss(pid) for name, pid in pids.items()}
        self._samples: dict[str, list[tuple[int, int]]] = {name: [] for name in pids}

    def _sample(self) -> None:
        turns = self._turns()
        for name, pid in self._pids.items():
            self._samples[name].append((turns, _rss(pid)))

    async def run(self) -> None:
        """Take a sample a second until cancelled."""
        while True:
            await asyncio.sleep(_SAMPLE_S)
            self._sample()

    def usages(self) -> dict[str, ProcessUsage]:
        """What was used since the meter was made."""
        self._sample()
        return {
            name: ProcessUsage(
                cpu_s=_cpu_s(pid) - self._began_s[name],
                rss_idle=self._idle[name],
                rss_most=max(rss for _, rss in self._samples[name]),
                samples=self._samples[name],
            )
            for name, pid in self._pids.items()
        }
