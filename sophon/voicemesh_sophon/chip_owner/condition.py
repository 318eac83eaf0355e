"""The chip's condition: memory, utilisation and temperature, asked for now and then.

sail opens the chip once more for each of these questions, and prints where one fails.
So they are asked only while nothing runs on the chip, under a turn of their own: what
is printed then is of no launch. Everybody else goes first, so on a chip that is never
free the figures grow old.

What the platform does not support is asked once, by its answer: up to sail 3.10.2 a
temperature of 0, later an error whose printed line ends in "ret=9". libsophon tells no
temperature on a SoC.
"""

from __future__ import annotations

import re
import sys
import threading

from . import wire
from .sail_chip import SailChip
from .scheduler import Scheduler
from .vendor_output import VendorOutput

EVERY_S = 5.0
"""Seconds between two rounds of questions. Metrics are scraped less often."""
PRIORITY = len(wire.PRIORITIES)
"""Behind all services."""
_NOT_SUPPORTED = re.compile(r"\bret ?= ?9\b|not[ _]support", re.IGNORECASE)


class Condition:
    """The figures that were told last, and the questions that the platform answers."""

    def __init__(self, chip: SailChip, scheduler: Scheduler, output: VendorOutput) -> None:
        """Nothing is asked before ``ask`` or ``keep_asking``."""
        self._scheduler = scheduler
        self._output = output
        self._all_cores = frozenset(range(chip.cores))
        self._complained: dict[str, str] = {}
        self.figures: dict[str, float] = {}
        """Memory in bytes, utilisation from 0 to 1, temperature in °C; by their names in
        the news. Replaced as a whole, so that any thread may read it."""
        self._questions = {"memory and utilisation": chip.statistics, "temperature": chip.celsius}
        if chip.leaks_handles:
            self._questions.clear()
            print(
                f"sail {chip.versions['sail']} keeps a device handle at each question, so the "
                "chip's memory, utilisation and temperature are not asked for; 3.9.1 or newer "
                "does not",
                file=sys.stderr,
            )

    def keep_asking(self, every_s: float, end: threading.Event) -> None:
        """Ask until ``end`` is set, or the platform has nothing to tell."""
        while self._questions and not end.wait(every_s):
            self.ask()

    def ask(self) -> None:
        """One round of questions, once nothing runs on the chip."""
        found: dict[str, float] = {}
        with self._scheduler.turn(PRIORITY, self._all_cores, "the chip's condition"):
            self._output.failures()  # What was printed before is not of these.
            for what, question in list(self._questions.items()):
                try:
                    told = question()
                    reason = "" if told else "it gives numbers that mean nothing"
                except Exception as error:  # Of sail's own kinds; the figure is left out.
                    told, reason = {}, str(error)
                found.update(told)
                printed = self._output.aside()
                self._complain(what, " | ".join([reason, *printed]) if reason else "")
        self.figures = found

    def _complain(self, what: str, reason: str) -> None:
        """Log a reason when it is new, and give up what the platform does not support."""
        if _NOT_SUPPORTED.search(reason):
            del self._questions[what]
            reason += "; it is not asked again"
        if reason and reason != self._complained.get(what):
            print(f"the chip does not tell its {what}: {reason}", file=sys.stderr)
        self._complained[what] = reason
