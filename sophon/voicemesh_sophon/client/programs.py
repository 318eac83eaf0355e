"""Programs: steps that the chip's owner has checked and keeps, to be started many times."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy.typing as npt

from voicemesh.errors import EngineError
from voicemesh_sophon.client.steps import Copy, Fill, Launch, Read, Step, Write
from voicemesh_sophon.client.tensors import STORED, DeviceTensor

_ALIGNMENT = 8  # Bytes: where each argument begins, as the owner reads them.


@dataclass(frozen=True, eq=False)
class Argument:
    """Bring an array into a tensor that each start of the program comes with."""

    tensor: DeviceTensor


ProgramStep: TypeAlias = Launch | Argument | Copy | Fill | Read


class Program:
    """Steps that can be started at any position from 0 to ``positions - 1``.

    At a position p a tensor made by ``DeviceTensor.moving`` lies p strides further on. The
    tensors live as long as the program; where one of them or a model is freed all the same,
    or its model closed, starting it is an error from then on.
    """

    def __init__(
        self,
        number: int,
        steps: Sequence[ProgramStep],
        positions: int,
        chip: object,
        forget: Callable[[int], None],
    ) -> None:
        """Made by ``Chip.prepare``. ``number`` is the owner's name for it."""
        self.number = number
        self.positions = positions
        self.chip = chip
        self.launches = tuple(step for step in steps if isinstance(step, Launch))
        self.results = tuple(step.tensor for step in steps if isinstance(step, Read))
        """The tensors that a start brings back, in order."""
        self.result_bytes = sum(tensor.nbytes for tensor in self.results)
        self._steps = tuple(steps)  # They hold the tensors.
        arguments = [step.tensor for step in steps if isinstance(step, Argument)]
        self._arguments = [
            (tensor, STORED[tensor.dtype], tensor.size, bytes(-tensor.nbytes % _ALIGNMENT))
            for tensor in arguments
        ]
        weakref.finalize(self, forget, number).atexit = False

    def unrolled(self, arrays: Sequence[npt.NDArray[Any]]) -> Iterator[Step]:
        """What a start at position 0 does, as steps of a run."""
        given = iter(arrays)
        for step in self._steps:
            yield Write(step.tensor, next(given)) if isinstance(step, Argument) else step

    def packed(self, arrays: Sequence[npt.NDArray[Any]]) -> bytes:
        """The arguments of a start as it sends them; EngineError where they do not fit."""
        return b"".join(self._parts(arrays))

    def _parts(self, arrays: Sequence[npt.NDArray[Any]]) -> Iterator[bytes]:
        if len(arrays) != len(self._arguments):
            raise EngineError(
                f"a program takes {len(self._arguments)} arrays, not {len(arrays)}: one for each "
                "Argument among its steps"
            )
        for array, (tensor, stored, size, padding) in zip(arrays, self._arguments, strict=True):
            if array.dtype != stored or array.size != size:
                raise EngineError(
                    f"an array {list(array.shape)} {array.dtype} cannot be written to a tensor "
                    f"{list(tensor.shape)} {tensor.dtype}, which is stored as {stored}"
                )
            yield array.tobytes()
            yield padding


@dataclass(frozen=True, eq=False)
class Start:
    """Do the steps of a program; the arrays of its Read steps are results of ``Chip.run``.

    ``arrays``: one for each Argument, in order.
    """

    program: Program
    arrays: Sequence[npt.NDArray[Any]] = ()
    position: int = 0
