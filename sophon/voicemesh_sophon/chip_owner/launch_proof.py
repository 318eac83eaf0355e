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
from .place_tensors import PlaceTensors
from .sail_chip import KINDS

EVERY_LAUNCHES = 64
_ELEMENTS = 8
# No result of a network: a NaN with a payload in every floating type, and large, uneven
# integers. Neighbours differ, so that a constant output is not taken for it.
_PATTERNS = {1: 0xA5, 2: 0x7FDA, 4: 0x7FDA5A00}


class NetProof:
    """A network: how often it has been seen to work."""

    def __init__(self) -> None:
        """It has not been launched."""
        self.launches = 0
        """Looked at where it is a multiple of ``EVERY_LAUNCHES``."""


class LaunchProof:
    """The networks of one client."""

    def __init__(self, tensors: PlaceTensors) -> None:
        """None of them has been launched."""
        self._tensors = tensors
        self._nets: dict[tuple[int, str], NetProof] = {}

    def of(self, model: int, net: str) -> NetProof:
        """A network's own; whoever launches it counts there."""
        return self._nets.setdefault((model, net), NetProof())

    def prepare(self, inputs: Sequence[Place], outputs: Sequence[Place]) -> Place | None:
        """Put the pattern into an output that is no input as well; None where there is none."""
        read = [place.memory for place in inputs]
        for place in outputs:
            # The runtime's own memory may lie over other inputs of it.
            if place.memory.model or place.memory in read:
                continue
            length = min(place.count, _ELEMENTS)
            start = Place(place.memory, (length,), place.offset)
            self._tensors.upload(start, _pattern(place.dtype, length))
            return start
        return None

    def check(self, start: Place) -> bool:
        """Whether a launch has written over the pattern that ``prepare`` put there."""
        found = self._tensors.download(start)
        expected = _pattern(start.dtype, start.count)
        return bool(np.any(found.view(np.uint8) != expected.view(np.uint8)))

    def forget(self, model: int) -> None:
        """The model is closed."""
        keys: list[tuple[int, str]] = [key for key in self._nets if key[0] == model]
        for key in keys:
            del self._nets[key]


def _pattern(dtype: str, length: int) -> np.ndarray:
    stored = np.dtype(KINDS[dtype][1])
    bits = _PATTERNS[stored.itemsize] + np.arange(length)
    return bits.astype(f"u{stored.itemsize}").view(stored)
