"""The steps of a run on a chip: write, launch, copy, fill, read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy.typing as npt

from voicemesh_sophon.client.model import Net
from voicemesh_sophon.client.tensors import DeviceTensor


@dataclass(frozen=True, eq=False)
class Launch:
    """Run a net once.

    ``inputs`` and ``outputs`` stand in the net's order; every dtype is the slot's.
    ``shapes`` are the shapes the inputs are launched with, by default the tensors'
    own: of a static net those of one of its stages, of a dynamic net anything up to
    the largest. ``cores``: by default those of the placement.
    """

    net: Net
    inputs: Sequence[DeviceTensor]
    outputs: Sequence[DeviceTensor]
    shapes: Sequence[Sequence[int]] | None = None
    cores: Sequence[int] | None = None


@dataclass(frozen=True, eq=False)
class Write:
    """Bring an array into a tensor: same number of elements, the dtype that STORED names."""

    tensor: DeviceTensor
    array: npt.NDArray[Any]


@dataclass(frozen=True, eq=False)
class Read:
    """Bring a tensor back; its array is one of the results of ``Chip.run``."""

    tensor: DeviceTensor


@dataclass(frozen=True, eq=False)
class Copy:
    """Copy elements on the device between tensors of one dtype.

    ``count``: by default all of the source from ``source_offset`` on.
    """

    source: DeviceTensor
    target: DeviceTensor
    source_offset: int = 0
    target_offset: int = 0
    count: int | None = None


@dataclass(frozen=True, eq=False)
class Fill:
    """Set every element of a tensor to a value."""

    tensor: DeviceTensor
    value: float = 0


Step: TypeAlias = Launch | Write | Read | Copy | Fill
