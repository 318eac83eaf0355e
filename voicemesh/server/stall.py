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
_WINDOW_S = 10.0
_TASKS_EVERY_S = 1.0


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
        window_end = time.monotonic() + _WINDOW_S
        window_longest = 0.0
        count_at = 0.0
        while True:
            before = time.monotonic()
            await asyncio.sleep(TICK_S)
            now = time.monotonic()
            stall = now - before - TICK_S
            self.longest_s = max(self.longest_s, stall)
            window_longest = max(window_longest, stall)
            if stall > WARN_S:
                log.warning("the event loop stalled for %.0f ms", stall * 1000)
            if now > window_end:
                metrics.LOOP_STALL.set(window_longest)
                window_end, window_longest = now + _WINDOW_S, 0.0
            if now > count_at:
                metrics.LOOP_TASKS.set(len(asyncio.all_tasks()))
                count_at = now + _TASKS_EVERY_S
