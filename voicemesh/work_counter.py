"""A counter of the tokens or chunks that an engine makes of one reply."""

from __future__ import annotations

import math
import time
from collections.abc import Callable


class WorkCounter:
    """The tokens or chunks that an engine makes of a reply.

    Whoever wants no more of the reply calls ``cancel``; what is made from then on is
    late. Only one thread counts. ``cancelled_s`` is on the machine's monotonic clock,
    which is the same in all its processes.
    """

    def __init__(self) -> None:
        """Nothing has been made."""
        self.made = 0
        self.late = 0
        self.cancelled_s = math.inf
        self.on_cancel: Callable[[], None] | None = None
        """Set by an engine that is to be told at once, and not when its task is cancelled."""

    @property
    def cancelled(self) -> bool:
        """Whether nobody wants more."""
        return self.cancelled_s < math.inf

    def cancel(self) -> None:
        """Nobody wants more: the engine is told first, and what it makes from then on is late."""
        on_cancel = self.on_cancel  # The engine's thread may take it away meanwhile.
        if on_cancel is not None:
            on_cancel()
        self.cancelled_s = min(self.cancelled_s, time.monotonic())

    def spend(self, count: int = 1) -> None:
        """So many tokens or chunks have just been made."""
        self.made += count
        if time.monotonic() > self.cancelled_s:
            self.late += count
