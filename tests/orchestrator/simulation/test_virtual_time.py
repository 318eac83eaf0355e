"""The simulator itself: time that jumps, and conversations that can be had again."""

from __future__ import annotations

import asyncio
import time

import pytest

from .plans import Act, Death, Plan
from .virtual_time import Deadlock, run_in_virtual_time


def test_an_hour_passes_when_nobody_has_anything_to_do() -> None:
    async def sleep() -> float:
        began_s = time.monotonic()
        await asyncio.sleep(3600)
        return time.monotonic() - began_s

    assert run_in_virtual_time(sleep()) == pytest.approx(3600)


def test_waiting_for_what_nobody_will_do_is_a_deadlock() -> None:
    async def wait() -> None:
        await asyncio.Event().wait()

    with pytest.raises(Deadlock, match="somebody still waits"):
        run_in_virtual_time(wait())


def test_a_plan_is_the_same_conversation_every_time() -> None:
    plan = Plan(
        acts=(Act("ask", 100), Act("nod", 700, into_reply=True), Act("ask", 900, number=1)),
        seed=7,
        longest_delay_ms=80,
        deaths=(Death("tts", 4000, 500),),
    )

    def said() -> list[tuple[float, str, bytes]]:
        return [
            (at_s, response.stamp.SerializeToString().hex(), response.reply_audio.chunk.audio)
            for at_s, response in plan.run().wire.said_at
        ]

    assert said() == said()
