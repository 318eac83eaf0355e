"""What happens again and again is told once, and then counted."""

from __future__ import annotations

import time
from collections.abc import Callable

EVERY_S = 60.0
_SENTENCES = 64


class Repeats:
    """Decides whether a sentence is written to the log, and with which count.

    The first time at once; then once in ``every_s`` for as long as it goes on.
    """

    def __init__(self, every_s: float = EVERY_S, now: Callable[[], float] = time.monotonic) -> None:
        """``now``: a clock, in seconds."""
        self._every_s = every_s
        self._now = now
        self._told: dict[str, tuple[float, int]] = {}
        """By sentence: when it was written, and how often it has come since."""

    def said(self, sentence: str) -> str | None:
        """What to write of it; None: nothing now."""
        now = self._now()
        told_s, count = self._told.get(sentence, (float("-inf"), 0))
        if now - told_s < self._every_s:
            self._told[sentence] = (told_s, count + 1)
            return None
        if len(self._told) >= _SENTENCES:
            self._told.clear()
        self._told[sentence] = (now, 0)
        return f"{sentence} ({count} times more since it was last told)" if count else sentence
