"""What happens again and again is told once, and then counted."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from voicemesh.errors import Unavailable
from voicemesh.server import rpc, rpc_errors
from voicemesh.server.repeats import Repeats
from voicemesh.v1 import common_pb2

LOADING = "asr: the engine is still loading"


class Clock:
    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


def test_a_sentence_is_told_once_and_then_counted() -> None:
    clock = Clock()
    repeats = Repeats(60.0, clock)
    assert repeats.said(LOADING) == LOADING
    for _ in range(299):
        clock.now_s += 0.2
        assert repeats.said(LOADING) is None
    clock.now_s += 0.2
    assert repeats.said(LOADING) == f"{LOADING} (299 times more since it was last told)"
    assert repeats.said(LOADING) is None


def test_another_sentence_is_told_at_once() -> None:
    repeats = Repeats(60.0, Clock())
    assert repeats.said("one") == "one"
    assert repeats.said("two") == "two"
    assert repeats.said("one") is None


def test_sentences_without_end_take_no_memory_without_end() -> None:
    repeats = Repeats(60.0, Clock())
    for number in range(1000):
        assert repeats.said(f"field {number} is wrong") is not None
    assert len(repeats._told) <= 64


class Aborted(Exception):
    pass


class Context:
    async def abort(self, *_: Any) -> None:
        raise Aborted


async def test_a_refusal_that_comes_five_times_a_second_is_logged_once(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rpc, "_refusals", Repeats())
    context: Any = Context()  # Of gRPC's no more is used.
    with caplog.at_level(logging.INFO, "voicemesh.server.rpc"):
        for _ in range(5):
            with pytest.raises(Aborted):
                async with rpc_errors(context, common_pb2.STAGE_ASR):
                    raise Unavailable(LOADING, retry_after_ms=200)
    assert [record.getMessage() for record in caplog.records] == [f"refused: {LOADING}"]
