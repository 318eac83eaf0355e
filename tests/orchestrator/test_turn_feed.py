"""What a controller is told of the turn that it asked for, and of who interrupts it."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from voicemesh.v1 import asr_pb2, common_pb2
from voicemesh.v1 import dialog_pb2 as pb
from voicemesh_orchestrator.conversation.turn_feed import Event, TurnFeed

START = asr_pb2.TURN_EVENT_TYPE_START_OF_TURN
END = asr_pb2.TURN_EVENT_TYPE_END_OF_TURN
COMPLETED, INTERRUPTED = pb.TURN_OUTCOME_COMPLETED, pb.TURN_OUTCOME_INTERRUPTED
NOTHING, FAILED = pb.TURN_OUTCOME_NOTHING_HEARD, pb.TURN_OUTCOME_FAILED
NOD = pb.TURN_OUTCOME_BACKCHANNEL


class Following:
    """The feed of turn 1, and what it is sent."""

    def __init__(self, spoken: bool = False) -> None:
        self.feed = TurnFeed()
        self.feed.follow(self.stamp(1), spoken)

    @staticmethod
    def stamp(turn: int, revision: int = 0) -> common_pb2.Stamp:
        return common_pb2.Stamp(epoch=1, turn=turn, revision=revision)

    def tell(self, turn: int, revision: int = 0, **event: Any) -> None:
        self.feed.send(Event(stamp=self.stamp(turn, revision), **event))

    def hears(self, turn: int, kind: asr_pb2.TurnEventType.ValueType, revision: int = 0) -> None:
        self.tell(turn, revision, turn_event=asr_pb2.TurnEvent(type=kind))

    def answers(self, turn: int, revision: int = 0) -> None:
        self.tell(turn, revision, reply_started=pb.ReplyStarted())

    def stops(self, turn: int, reason: str) -> None:
        self.tell(turn, reply_interrupted=pb.ReplyInterrupted(reason=reason))

    def ends(self, turn: int, outcome: pb.TurnOutcome.ValueType, revision: int = 0) -> None:
        self.tell(turn, revision, turn_ended=pb.TurnEnded(outcome=outcome))

    async def ended(self) -> list[tuple[int, pb.TurnOutcome.ValueType]]:
        """The turns whose end the controller has been told."""
        ends = []
        while self.feed.waiting():
            news = await self.feed.next(1)
            assert news is not None
            if news.HasField("turn_ended"):
                ends.append((news.stamp.turn, news.turn_ended.outcome))
        await asyncio.sleep(0)
        return ends


async def test_a_nod_over_the_reply_is_not_the_turn_that_was_asked_for() -> None:
    following = Following()
    following.hears(2, START)
    following.hears(2, END)
    following.ends(2, NOD)
    following.ends(1, COMPLETED)
    assert await following.ended() == [(1, COMPLETED)]


async def test_the_answer_may_have_been_begun_under_a_newer_revision() -> None:
    following = Following(spoken=True)
    following.hears(1, START)
    following.hears(1, END, revision=2)
    following.answers(1, revision=2)
    following.ends(1, COMPLETED, revision=2)
    assert await following.ended() == [(1, COMPLETED)]


@pytest.mark.parametrize("stops_first", [True, False])
async def test_who_interrupts_has_the_turn(stops_first: bool) -> None:
    following = Following()
    if stops_first:  # As under INTERRUPTION_POLICY_STOP.
        following.stops(1, "speech")
        following.ends(1, INTERRUPTED)
        following.hears(2, START)
    else:
        following.hears(2, START)
        following.stops(1, "speech")
        following.ends(1, INTERRUPTED)
    assert await following.ended() == []
    following.hears(2, END, revision=1)
    following.answers(2, revision=1)
    following.ends(2, COMPLETED, revision=1)
    assert await following.ended() == [(2, COMPLETED)]


@pytest.mark.parametrize("outcome", [COMPLETED, NOTHING])
async def test_an_interruption_of_which_nothing_comes_ends_the_turn_that_was_asked_for(
    outcome: pb.TurnOutcome.ValueType,
) -> None:
    following = Following()
    following.hears(2, START)
    following.stops(1, "stop")
    following.ends(1, INTERRUPTED)
    following.hears(2, END)
    following.ends(2, outcome)
    assert await following.ended() == [(1, INTERRUPTED)]


async def test_an_interruption_that_fails_fails_the_turn() -> None:
    following = Following()
    following.hears(2, START)
    following.stops(1, "speech")
    following.ends(1, INTERRUPTED)
    following.ends(2, FAILED)
    assert await following.ended() == [(2, FAILED)]


async def test_interruptions_of_interruptions_are_followed_to_the_last() -> None:
    following = Following()
    for turn in (1, 2):
        following.hears(turn + 1, START)
        following.stops(turn, "speech")
        following.ends(turn, INTERRUPTED)
        following.hears(turn + 1, END)
        following.answers(turn + 1)
    following.ends(3, COMPLETED)
    assert await following.ended() == [(3, COMPLETED)]


async def test_a_question_that_waited_for_the_end_of_the_reply_is_followed() -> None:
    following = Following()
    following.hears(2, START)
    following.hears(2, END)
    following.ends(1, COMPLETED)
    following.answers(2)
    following.ends(2, COMPLETED)
    assert await following.ended() == [(2, COMPLETED)]


async def test_a_button_ends_the_turn_at_once() -> None:
    following = Following()
    following.stops(1, "client")
    following.ends(1, INTERRUPTED)
    assert await following.ended() == [(1, INTERRUPTED)]
