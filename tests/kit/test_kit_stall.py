from __future__ import annotations

import asyncio
import time

from voicemesh.aio import cancel_and_wait
from voicemesh.server.stall import TICK_S, WINDOW_S, StallDetector, StallWindow


async def test_a_blocked_event_loop_is_seen() -> None:
    detector = StallDetector()
    task = asyncio.ensure_future(detector.run())
    await asyncio.sleep(2 * TICK_S)  # Its timer is set.
    time.sleep(0.2)  # noqa: ASYNC251 - the deliberate stall
    await asyncio.sleep(2 * TICK_S)
    await cancel_and_wait(task)
    assert detector.longest_s >= 0.2 - TICK_S


def test_the_first_stall_is_told_at_once_and_the_others_together() -> None:
    window = StallWindow(100.0)
    assert window.stalled(0.05) is None
    assert window.stalled(0.15) == "the event loop stalled for 150 ms"
    for _ in range(49):
        assert window.stalled(0.2) is None
    assert window.stalled(0.4) is None
    assert not window.over(100.0 + WINDOW_S)
    assert window.over(100.1 + WINDOW_S)
    told = "the event loop stalled 50 times more within 10 s, for 400 ms at longest"
    assert window.summary() == told


def test_a_window_with_one_stall_or_none_has_no_summary() -> None:
    window = StallWindow(0.0)
    assert window.summary() is None
    window.stalled(0.15)
    assert window.summary() is None
    assert window.longest_s == 0.15
