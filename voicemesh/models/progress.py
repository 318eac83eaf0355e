"""What is seen of a pull: a bar on a terminal, a line a carrier elsewhere."""

from __future__ import annotations

import sys
import time
from typing import TextIO

_BAR = 24
_DRAW_S = 0.1


class Progress:
    """One download after the other; a line of text each."""

    def __init__(self, out: TextIO | None = None) -> None:
        """``out``: standard error, where none is given; a bar is drawn if it is a terminal."""
        self._out = out or sys.stderr
        self._draws = self._out.isatty()
        self._label = ""
        self._total = 0
        self._drawn_s = 0.0

    def line(self, text: str) -> None:
        """Print a line."""
        self._clear()
        self._out.write(f"{text}\n")
        self._out.flush()

    def begin(self, label: str, total: int) -> None:
        """A download of ``total`` bytes begins; 0: nobody knows how many."""
        self._label, self._total = label, total
        if self._draws:
            self._draw(0)
        else:
            size = f" ({megabytes(total)})" if total else ""
            self.line(f"{label}{size}")

    def reached(self, done: int) -> None:
        """So many bytes of it have come."""
        if self._draws and time.monotonic() - self._drawn_s >= _DRAW_S:
            self._draw(done)

    def end(self) -> None:
        """It is over, well or not."""
        self._clear()

    def _draw(self, done: int) -> None:
        self._drawn_s = time.monotonic()
        if self._total:
            share = min(1.0, done / self._total)
            filled = round(share * _BAR)
            bar = "█" * filled + "░" * (_BAR - filled)
            came = f"{bar} {megabytes(min(done, self._total))} of {megabytes(self._total)}"
        else:
            came = megabytes(done)
        self._out.write(f"\r\x1b[K{self._label}  {came}")
        self._out.flush()

    def _clear(self) -> None:
        if self._draws:
            self._out.write("\r\x1b[K")


def megabytes(count: int) -> str:
    """Bytes for people: ``56.3 MB``."""
    return f"{count / 1e6:.1f} MB"
