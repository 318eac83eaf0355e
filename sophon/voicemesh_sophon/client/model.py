"""A loaded bmodel: its nets, and what goes in and out of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from voicemesh_sophon.client.tensors import DeviceTensor, Shape

Side = Literal["input", "output"]


@dataclass(frozen=True)
class Slot:
    """An input or an output of a net."""

    name: str
    """As the compiler left it; bind by position rather than by name."""
    dtype: str
    """One of ``tensors.STORED``."""
    stages: tuple[Shape, ...]
    """Its shape in each stage of the net."""
    shape: Shape
    """Its largest shape."""


@dataclass(frozen=True, eq=False)
class Net:
    """A network of a model."""

    name: str
    inputs: tuple[Slot, ...]
    """In the order of the net."""
    outputs: tuple[Slot, ...]
    dynamic: bool
    """Whether it takes any shape up to the largest, rather than those of its stages."""
    own_io: bool
    """Whether the runtime keeps memory for its inputs and outputs."""
    core_num: int
    """How many cores its commands were compiled for."""
    model: int = field(repr=False)
    file: Path = field(repr=False)
    """The file it came from; errors name it."""
    owned: Callable[[str, Side, int, int], DeviceTensor] = field(repr=False)

    def input_tensor(self, index: int, stage: int = 0) -> DeviceTensor:
        """The net's own memory for an input; EngineError unless loaded with ``own_io``."""
        return self.owned(self.name, "input", index, stage)

    def output_tensor(self, index: int, stage: int = 0) -> DeviceTensor:
        """The net's own memory for an output; EngineError unless loaded with ``own_io``."""
        return self.owned(self.name, "output", index, stage)


@dataclass(frozen=True, eq=False)
class Model:
    """A model on the chip: the networks of the files that it was loaded from."""

    files: tuple[Path, ...]
    nets: Mapping[str, Net]
    core_num: int
    """Cores of its widest net."""
    close: Callable[[], None] = field(repr=False)
    """Free it and its nets' own memory; the launches of its nets are errors from then on."""
