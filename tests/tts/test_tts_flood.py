"""One client that changes its mind all the time does not keep the voices from the others."""

from __future__ import annotations

from typing import Any

import pytest
from prometheus_client import REGISTRY

from voicemesh.v1 import common_pb2
from voicemesh_tts.reply_pace import ReplyPace

from .test_tts_cancelling import STORY, opened

FLOOD = 300


class Clock:
    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


def test_so_many_replies_at_once_and_then_at_their_pace() -> None:
    clock = Clock()
    pace = ReplyPace(4.0, clock)
    for _ in range(4):
        assert pace.wait_s() == 0
        pace.begin()
    assert pace.wait_s() == pytest.approx(0.25)
    clock.now_s += 0.25
    assert pace.wait_s() == pytest.approx(0)
    pace.begin()
    assert pace.wait_s() == pytest.approx(0.25)


def test_a_pause_gives_no_more_than_the_first_replies_back() -> None:
    clock = Clock()
    pace = ReplyPace(2.0, clock)
    clock.now_s += 3600
    for _ in range(2):
        assert pace.wait_s() == 0
        pace.begin()
    assert pace.wait_s() == pytest.approx(0.5)


def test_less_than_one_reply_a_second_is_a_pace_as_well() -> None:
    clock = Clock()
    pace = ReplyPace(0.5, clock)
    assert pace.wait_s() == 0
    pace.begin()
    assert pace.wait_s() == pytest.approx(2.0)


def begun_and_cancelled() -> float:
    """The replies that an engine had begun when they were taken back."""
    name = "voicemesh_tts_chunks_after_cancel_count"
    return REGISTRY.get_sample_value(name) or 0.0


@pytest.mark.parametrize("engine", ["embedded", "simulated"])
async def test_replies_that_are_replaced_at_once_are_never_begun(serving: Any, engine: str) -> None:
    settings = {"tts.engine": engine}
    async with (
        serving("tts", **settings) as target,
        opened(target) as flooding,
        opened(target) as other,
    ):
        before = begun_and_cancelled()
        for turn in range(1, FLOOD + 1):
            flooding.stamp = common_pb2.Stamp(epoch=1, turn=turn)
            await flooding.speak(STORY)
        other.stamp = common_pb2.Stamp(epoch=1, turn=1)
        await other.speak("Here I am.")
        assert await other.until("piece_finished") > 4_000
        # The newest of them is spoken all the same.
        await flooding.until("audio")
        await flooding.cancel()
        assert begun_and_cancelled() - before <= FLOOD / 10
