"""What a request asks for: its steps, each checked as a whole.

Those that each start of a program makes anew are not frozen, which costs a multiple.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from .bmodel_file import NetEntry
from .chip_contents import Model, Place


@dataclass(frozen=True)
class Launch:
    """Run a network."""

    number: int
    """Of the model."""
    model: Model
    net: NetEntry
    stage: int
    """To which the inputs' shapes belong."""
    inputs: list[Place]
    outputs: list[Place]
    cores: tuple[int, ...]
    """Those to ask for; empty: the runtime chooses."""
    holds: frozenset[int]
    """Those that are busy meanwhile."""
    before: tuple[Copy, ...] = ()
    """Copies to the runtime's own memory, in the same turn: others may use that memory, too."""

    @property
    def moves(self) -> bool:
        """Whether a program moves any of its places."""
        return any(place.stride for place in (*self.inputs, *self.outputs))

    @property
    def keeps_shapes(self) -> bool:
        """Whether sail leaves the outputs in the shape that their places have."""
        return not self.net.dynamic and all(
            place.shape == slot.stages[self.stage]
            for place, slot in zip(self.outputs, self.net.output_slots)
        )

    def at(self, position: int) -> Launch:
        """The launch of a program that starts at ``position``."""
        return replace(
            self,
            inputs=[place.at(position) for place in self.inputs],
            outputs=[place.at(position) for place in self.outputs],
        )


@dataclass
class Write:
    """Bring values to the device."""

    target: Place
    values: np.ndarray


@dataclass
class Read:
    """Bring ``nbytes`` back, to ``at`` in the arena or to the answer's payload."""

    source: Place
    arena: bool
    at: int
    nbytes: int


@dataclass(frozen=True)
class Copy:
    """Copy on the device."""

    source: Place
    target: Place

    @property
    def moves(self) -> bool:
        """Whether a program moves any of its places."""
        return bool(self.source.stride or self.target.stride)

    def at(self, position: int) -> Copy:
        """The copy of a program that starts at ``position``."""
        return Copy(self.source.at(position), self.target.at(position))


@dataclass(frozen=True)
class Fill:
    """Set every element."""

    target: Place
    value: float

    @property
    def moves(self) -> bool:
        """Whether a program moves its place."""
        return bool(self.target.stride)

    def at(self, position: int) -> Fill:
        """The filling of a program that starts at ``position``."""
        return Fill(self.target.at(position), self.value)


@dataclass(frozen=True)
class Argument:
    """Of a program: bring the values to the device that each of its starts has at ``at``."""

    target: Place
    at: int
    """In bytes."""
    stored: np.dtype

    @property
    def end(self) -> int:
        """Where its bytes end."""
        return self.at + self.target.count * self.stored.itemsize


@dataclass(frozen=True)
class Result:
    """Of a program: bring ``nbytes`` back, to ``at`` in what its start gives."""

    source: Place
    at: int
    nbytes: int
