from __future__ import annotations

import asyncio
import time

from voicemesh.aio import cancel_and_wait
from voicemesh.server.stall import TICK_S, StallDetector


async def test_a_blocked_event_loop_is_seen() -> None:
    detector = StallDetector()
    task = asyncio.ensure_future(detector.run())
    await asyncio.sleep(2 * TICK_S)  # Its timer is set.
    time.sleep(0.2)  # noqa: ASYNC251 - the deliberate stall
    await asyncio.sleep(2 * TICK_S)
    await cancel_and_wait(task)
    assert detector.longest_s >= 0.2 - TICK_S
