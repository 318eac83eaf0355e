"""Finds launches that failed without saying so.

sail only logs that a launch has failed and returns as if it had not; the output then
still holds what was there before. Two signs are looked for:

* The vendor's libraries have printed of a failure during the launch. Looked for at
  every launch, for the price of one system call.
* The first elements of an output still hold a pattern that was put there before. Done
  at the first launch of every network and at every 64th thereafter, for the price of
  two small transfers.

Not seen: a failure that prints nothing, between two launches with the pattern; a launch
that writes wrong numbers; and one that writes only some of its outputs. While launches
run on two cores at once, a failure that is printed counts against the one that looks
first.
"""

from __future__ import annotations

from typing import Sequence

import numpy as np

from .chip_contents import Place
from .client_resources import ClientResources
from .sail_chip import KINDS

EVERY_LAUNCHES = 64
_ELEMENTS = 8
# No result of a network: a NaN with a payload in every floating type, and large, uneven
# integers. Neighbours differ, so that a constant output is not taken for it.
_PATTERNS = {1: 0xA5, 2: 0x7FDA, 4: 0x7FDA5A00}


class LaunchProof:
    """The networks of one client."""

    def __init__(self, resources: ClientResources) -> None:
        """None of them has been launched."""
        self._resources = resources
        self._launches: dict[tuple[int, str], int] = {}

    def worked(self, model: int, net: str) -> bool:
        """Whether the network has ever been seen to work."""
        return self._launches.get((model, net), 0) > 0

    def prepare(
        self, model: int, net: str, inputs: Sequence[Place], outputs: Sequence[Place]
    ) -> Place | None:
        """Put the pattern into an output that is no input as well; None where not now."""
        count = self._launches.get((model, net), 0)
        if count % EVERY_LAUNCHES:
            return None
        read = [place.memory for place in inputs]
        for place in outputs:
            # The runtime's own memory may lie over other inputs of it.
            if place.memory.model or place.memory in read:
                continue
            length = min(place.count, _ELEMENTS)
            start = Place(place.memory, (length,), place.offset)
            self._resources.upload(start, _pattern(place.dtype, length))
            return start
        return None

    def check(self, start: Place | None) -> bool:
        """Whether the launch has written over the pattern that ``prepare`` put there."""
        if start is None:
            return True
        found = self._resources.download(start)
        expected = _pattern(start.dtype, start.count)
        return bool(np.any(found.view(np.uint8) != expected.view(np.uint8)))

    def succeeded(self, model: int, net: str) -> None:
        """A launch is over and nothing speaks against it."""
        self._launches[model, net] = self._launches.get((model, net), 0) + 1

    def forget(self, model: int) -> None:
        """The model is closed."""
        keys: list[tuple[int, str]] = [key for key in self._launches if key[0] == model]
        for key in keys:
            del self._launches[key]


def _pattern(dtype: str, length: int) -> np.ndarray:
    stored = np.dtype(KINDS[dtype][1])
    bits = _PATTERNS[stored.itemsize] + np.arange(length)
    return bits.astype(f"u{stored.itemsize}").view(stored)
