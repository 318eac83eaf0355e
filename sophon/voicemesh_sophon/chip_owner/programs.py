"""Programs: steps that are checked once, and started many times.

A decoder does the same for every token, hundreds of launches with thousands of numbers
in them. A program has all of that in the owner: it is kept under a number, and a start
carries only what changes, a position and the values of its arguments. Places may move with
the position, as the row of a cache does into which a token's keys and values go; that they
stay within their memory at every position is checked when the program is made.
"""

from __future__ import annotations

from typing import Any, Callable, Sequence

import numpy as np

from .chip_contents import Memory, Place
from .launching import Aim, BoundLaunch, MovingLaunches
from .steps import Argument, Copy, Fill, Launch, Read, Result, Write

POSITIONS_KEPT = 64
"""Positions of which a program keeps the views of its places, such as a cache's rows. A reply
that is tried again finds those of the last one; more would be as many tensors of sail's as a
cache has rows, a kilobyte each."""


class Program:
    """Steps at any position from 0 to ``positions - 1``."""

    def __init__(
        self, steps: Sequence[Any], positions: int, bind: Callable[[Launch], BoundLaunch]
    ) -> None:
        """``steps``: Launch, Copy, Fill, Argument and Result."""
        self.positions = positions
        self.memories: set[Memory] = {place.memory for step in steps for place in _places(step)}
        self.models = {step.number for step in steps if isinstance(step, Launch)}
        self._steps = [bind(step) if isinstance(step, Launch) else step for step in steps]
        self._launches = MovingLaunches(
            [
                bound
                for bound, step in zip(self._steps, steps)
                if isinstance(step, Launch) and step.moves
            ]
        )
        self._copies = [
            (n, step)
            for n, step in enumerate(steps)
            if isinstance(step, (Copy, Fill)) and step.moves
        ]
        self._arguments = [
            (n, step.target, step.at, step.end, step.stored)
            for n, step in enumerate(steps)
            if isinstance(step, Argument)
        ]
        self._results = [(n, step) for n, step in enumerate(steps) if isinstance(step, Result)]
        self.takes = max([0, *(end for _, _, _, end, _ in self._arguments)])
        """Bytes of all arguments."""
        self.gives = sum(result.nbytes for _, result in self._results)
        """Bytes of all results."""
        self._kept: dict[int, Aim] = {}

    def start(self, position: int, given: memoryview, arena: bool, at: int) -> list[Any]:
        """The steps of a start: Aim, BoundLaunch, Write, Read, Copy and Fill.

        ``given`` holds the arguments; results go to ``at`` in the arena, or to the answer.
        """
        steps = self._steps.copy()
        for number, target, begin, end, stored in self._arguments:
            values = np.frombuffer(given[begin:end], stored)
            steps[number] = Write(target.at(position), values)
        for number, result in self._results:
            source = result.source.at(position)
            steps[number] = Read(source, arena, at + result.at, result.nbytes)
        for number, copy in self._copies:
            steps[number] = copy.at(position)
        return [self._aim(position), *steps]

    def foresee(self, position: int) -> None:
        """Get ready to start at ``position``, if there is such a position."""
        if position < self.positions:
            self._aim(position)

    def close(self) -> None:
        """Let go of all memory that it refers to."""
        self._steps = []
        self._launches = MovingLaunches([])
        self._copies = []
        self._arguments = []
        self._results = []
        self._kept.clear()
        self.memories.clear()

    def _aim(self, position: int) -> Aim:
        known = self._kept.get(position)
        if known is None:
            if len(self._kept) >= POSITIONS_KEPT:
                del self._kept[next(iter(self._kept))]
            known = self._kept[position] = Aim(self._launches, position)
        return known


def _places(step: Any) -> list[Place]:
    if isinstance(step, Launch):
        return [*step.inputs, *step.outputs]
    if isinstance(step, Copy):
        return [step.source, step.target]
    return [step.source if isinstance(step, Result) else step.target]
