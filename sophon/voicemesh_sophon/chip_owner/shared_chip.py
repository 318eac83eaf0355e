"""The chip, and what all sessions share of it."""

from __future__ import annotations

from typing import Callable

from .condition import Condition
from .counters import Counters
from .sail_chip import SailChip
from .scheduler import Scheduler
from .vendor_output import VendorOutput


class SharedChip:
    """The chip, and what all sessions share of it: scheduler, counters, output, condition."""

    def __init__(self, chip: SailChip, output: VendorOutput, lost: Callable[[str], None]) -> None:
        """``lost`` is called once the chip is taken to be lost; it ends the process."""
        self.chip = chip
        self.output = output
        self.lost = lost
        self.scheduler = Scheduler()
        self.counters = Counters()
        self.condition = Condition(chip, self.scheduler, output)
