"""The fixed question of a model, noted while an engine does what it does with the model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from voicemesh_sophon.client.chip import Chip
from voicemesh_sophon.client.steps import Read, Step
from voicemesh_sophon.client.tensors import STORED, DeviceTensor


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

    def run(self, steps: Sequence[Step]) -> list[npt.NDArray[Any]]:
        """Note the steps; the arrays are zeros."""
        self.steps += steps
        read = [step.tensor for step in steps if isinstance(step, Read)]
        return [np.zeros(tensor.shape, STORED[tensor.dtype]) for tensor in read]
