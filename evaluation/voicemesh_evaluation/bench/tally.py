"""What is counted and timed, over all conversations of a run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

LATE_S = 0.1
"""A chunk this far behind real-time play-out is late."""

_MOST_PROBLEMS = 20


Percentiles = dict[str, float] | None


def percentiles(values: Sequence[float]) -> Percentiles:
    """p50, p95 and p99, in milliseconds; None where there is nothing."""
    if not values:
        return None
    found = np.percentile(values, [50, 95, 99])
    return {f"p{p}": round(float(v), 1) for p, v in zip((50, 95, 99), found, strict=True)}


@dataclass
class Tally:
    """All conversations share one; they run on one event loop."""

    response_ms: list[float] = field(default_factory=list)
    """Last voiced frame sent to first reply audio received."""
    interrupt_ms: list[float] = field(default_factory=list)
    """Onset to flush: the first voiced frame of an interruption sent, to the word to drop
    what is buffered."""
    chunks: int = 0
    late_chunks: int = 0
    turns: int = 0
    """Turns that ended well."""
    errors: int = 0
    problems: Counter[str] = field(default_factory=Counter)
    """The errors in words; only the first kinds are kept."""
    conversation_s: float = 0.0
    """The lengths of all conversations together."""

    def fail(self, problem: str) -> None:
        """Count an error."""
        self.errors += 1
        if problem in self.problems or len(self.problems) < _MOST_PROBLEMS:
            self.problems[problem] += 1
