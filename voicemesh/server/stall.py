"""Watches the event loop: a stall means that something blocks it."""

from __future__ import annotations

import asyncio
import logging
import time

from voicemesh import metrics

log = logging.getLogger(__name__)

# Each tick wakes the process: every 5 ms that took an idle service 2 % of a core.
TICK_S = 0.05
WARN_S = 0.1
WINDOW_S = 10.0
_TASKS_EVERY_S = 1.0


class StallWindow:
    """The stalls of some seconds: the first is told at once, the others together at the end."""

    def __init__(self, begin_s: float) -> None:
        """``begin_s``: on the clock of ``over``."""
        self._end_s = begin_s + WINDOW_S
        self.longest_s = 0.0
        self._more = 0
        self._told = False

    def stalled(self, seconds: float) -> str | None:
        """The loop was late by so much; what to warn of now."""
        self.longest_s = max(self.longest_s, seconds)
        if seconds <= WARN_S:
            return None
        metrics.LOOP_STALLS.inc()
        if self._told:
            self._more += 1
            return None
        self._told = True
        return f"the event loop stalled for {seconds * 1000:.0f} ms"

    def over(self, now_s: float) -> bool:
        """Whether the next one begins."""
        return now_s > self._end_s

    def summary(self) -> str | None:
        """What to warn of at its end."""
        if not self._more:
            return None
        return (
            f"the event loop stalled {self._more} times more within {WINDOW_S:g} s, "
            f"for {self.longest_s * 1000:.0f} ms at longest"
        )


class StallDetector:
    """Measures how late a short timer fires, and counts the loop's tasks.

    ``longest_s`` is the longest stall since the start; the metric shows the
    longest of the last window. Stalls over 20 ms are bugs; the log warns from
    100 ms on, because a busy machine also delays a healthy loop.
    """

    def __init__(self) -> None:
        """Measures nothing until ``run`` runs."""
        self.longest_s = 0.0

    async def run(self) -> None:
        """Measure until cancelled."""
        window = StallWindow(time.monotonic())
        count_at = 0.0
        while True:
            before = time.monotonic()
            await asyncio.sleep(TICK_S)
            now = time.monotonic()
            stall = now - before - TICK_S
            self.longest_s = max(self.longest_s, stall)
            _warn(window.stalled(stall))
            if window.over(now):
                _warn(window.summary())
                metrics.LOOP_STALL.set(window.longest_s)
                window = StallWindow(now)
            if now > count_at:
                metrics.LOOP_TASKS.set(len(asyncio.all_tasks()))
                count_at = now + _TASKS_EVERY_S


def _warn(sentence: str | None) -> None:
    if sentence is not None:
        log.warning("%s", sentence)
