"""The chip, and what all sessions share of it."""

from __future__ import annotations

from typing import Callable

from .condition import Condition
from .counters import Counters
from .model_checks import ModelChecks
from .sail_chip import SailChip
from .scheduler import Scheduler
from .vendor_output import VendorOutput


class SharedChip:
    """The chip, and what all sessions share of it: scheduler, counters, output, checks."""

    def __init__(
        self, chip: SailChip, output: VendorOutput, lost: Callable[[str, str], None]
    ) -> None:
        """``lost`` is told cause and reason once the chip is lost; it ends the process."""
        self.chip = chip
        self.output = output
        self.lost = lost
        self.scheduler = Scheduler()
        self.counters = Counters()
        self.condition = Condition(chip, self.scheduler, output)
        self.checks = ModelChecks(
            self.scheduler, output, chip.cores, lambda why: lost("wrong_answers", why)
        )
