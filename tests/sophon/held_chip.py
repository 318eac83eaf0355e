"""A chip whose launches wait for the test, so that one is under way when work is discarded."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest

from voicemesh.work_counter import WorkCounter
from voicemesh_sophon.client import Chip, Launch, Start, Step

Holds = Callable[[Launch], bool]


class HeldChip:
    """Launches of some networks begin, and go on only when the test lets them."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.begun: list[Launch] = []
        """All launches since the last ``hold``."""
        self._holds: Holds = lambda launch: False
        self._waiting = threading.Semaphore(0)
        self._go_on = threading.Semaphore(0)
        self._unwanted = asyncio.Event()
        run, cancel = Chip.run, WorkCounter.cancel

        def held(chip: Chip, steps: Sequence[Step | Start]) -> Any:
            launches = list(launches_of(steps))
            self.begun += launches
            if any(self._holds(launch) for launch in launches):
                self._waiting.release()
                assert self._go_on.acquire(timeout=60)
            return run(chip, steps)

        def noticed(counter: WorkCounter) -> None:
            cancel(counter)
            self._unwanted.set()

        monkeypatch.setattr(Chip, "run", held)
        monkeypatch.setattr(WorkCounter, "cancel", noticed)

    def hold(self, holds: Holds) -> None:
        """Hold the exchanges with such a launch in them."""
        self._holds = holds
        self.begun = []
        self._unwanted.clear()

    async def next(self) -> list[Launch]:
        """Wait until a launch is held; all those that have begun."""
        assert await asyncio.to_thread(self._waiting.acquire, timeout=60)
        return list(self.begun)

    async def let_through(self, launches: int) -> None:
        for _ in range(launches):
            await self.next()
            self._go_on.release()

    async def unwanted(self) -> None:
        """Wait until the service knows that nobody wants the work, and let go of it."""
        await self._unwanted.wait()
        self.let_go()

    def let_go(self) -> None:
        """Hold nothing more."""
        self._holds = lambda launch: False
        self._go_on.release()


def launches_of(steps: Sequence[Step | Start]) -> Iterator[Launch]:
    """Those of programs among them."""
    for step in steps:
        if isinstance(step, Start):
            yield from step.program.launches
        elif isinstance(step, Launch):
            yield step


def named(net: str) -> Holds:
    return lambda launch: launch.net.name.startswith(net)
