"""The fixed question of a model, noted while an engine does what it does with the model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from voicemesh_sophon.client.chip import Chip
from voicemesh_sophon.client.programs import Program, ProgramStep, Start
from voicemesh_sophon.client.steps import Read, Step
from voicemesh_sophon.client.tensors import STORED, DeviceTensor

_NOBODYS = 0
"""The number of a program that the owner does not keep."""


class FixedQuestion(Chip):
    """A chip that notes what it is asked to do instead of doing it.

    An engine works on it for a moment as it would on the chip, on tensors that it then leaves
    alone: ``steps`` are the question, for ``Chip.check``. Steps that belong to work under
    way must not be disturbed by them; so nothing is filled, and nothing is written that
    anybody else reads.
    """

    def __init__(self, chip: Chip) -> None:
        """``chip`` has the model and will be asked; this one shares its connection."""
        super().__init__(chip._link)
        self.abilities = chip.abilities
        self._chip = chip
        self.steps: list[Step] = []

    def tensor(self, shape: Sequence[int], dtype: str) -> DeviceTensor:
        """See Chip."""
        return self._chip.tensor(shape, dtype)

    def prepare(self, steps: Sequence[ProgramStep], positions: int = 1) -> Program:
        """A program of the question alone: its steps are noted where it is started."""
        return Program(_NOBODYS, steps, positions, self, lambda number: None)

    def run(self, steps: Sequence[Step | Start]) -> list[npt.NDArray[Any]]:
        """Note the steps, those of programs at position 0; the arrays are zeros."""
        noted: list[Step] = []
        for step in steps:
            noted += step.program.unrolled(step.arrays) if isinstance(step, Start) else [step]
        self.steps += noted
        read = [step.tensor for step in noted if isinstance(step, Read)]
        return [np.zeros(tensor.shape, STORED[tensor.dtype]) for tensor in read]
