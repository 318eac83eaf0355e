"""The steps of a program: read and checked as a whole, when it is made."""

from __future__ import annotations

from typing import Any, Callable, Sequence

from .chip_contents import Refused
from .client_resources import ClientResources
from .launching import BoundLaunch
from .programs import Program
from .step_reader import Bulk, Readers, StepReader, stored
from .steps import Argument, Launch, Result

MAX_POSITIONS = 1 << 24
"""More than any cache has rows."""
_ALIGNMENT = 8
"""Bytes: each argument begins at a multiple of it."""


class ProgramReader(StepReader):
    """Turns what a client wrote into a program; Refused where it could not be done everywhere."""

    def __init__(
        self, resources: ClientResources, cores: Sequence[int], chip_cores: int, positions: Any
    ) -> None:
        """``positions``: at how many it is to be started, counted from 0."""
        super().__init__(resources, cores, chip_cores)
        if not isinstance(positions, int) or not 0 < positions <= MAX_POSITIONS:
            raise Refused(f"{positions!r} is no number of positions from 1 to {MAX_POSITIONS}")
        self.positions = positions
        self._takes = self._gives = 0

    def program(self, raw: Any, bind: Callable[[Launch], BoundLaunch]) -> Program:
        """The program. ``bind``: gives its launches what they need."""
        steps = [self.step(self.READERS, step, {}) for step in self.listed(raw)]
        return Program(steps, self.positions, bind)

    def _argument(self, bulk: Bulk, target: Any) -> Argument:
        place = self.place(target)
        argument = Argument(place, self._takes, stored(place))
        self._takes = argument.end + -argument.end % _ALIGNMENT
        return argument

    def _result(self, bulk: Bulk, source: Any) -> Result:
        place = self.place(source)
        result = Result(place, self._gives, place.count * stored(place).itemsize)
        self._gives += result.nbytes
        return result

    READERS: Readers = {
        "launch": StepReader.READERS["launch"],
        "argument": _argument,
        "result": _result,
        "copy": StepReader.READERS["copy"],
        "fill": StepReader.READERS["fill"],
    }
