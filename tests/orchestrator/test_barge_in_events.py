"""Events over a reply, as a recogniser sends them: what becomes of the reply."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from voicemesh.v1 import asr_pb2, common_pb2, dialog_pb2
from voicemesh_orchestrator.barge_in.classifier import SHORT_MS
from voicemesh_orchestrator.barge_in.handler import BargeIn
from voicemesh_orchestrator.floor_settings import FloorSettings
from voicemesh_orchestrator.turn.effects import Effect, EndTurn, HoldReply, ResumeReply, StopReply
from voicemesh_orchestrator.turn.machine import TurnMachine

RATE = 16_000
PAUSE = dialog_pb2.INTERRUPTION_POLICY_PAUSE_THEN_DECIDE
IGNORE = dialog_pb2.INTERRUPTION_POLICY_IGNORE
START = asr_pb2.TURN_EVENT_TYPE_START_OF_TURN
UPDATE = asr_pb2.TURN_EVENT_TYPE_UPDATE
EAGER = asr_pb2.TURN_EVENT_TYPE_EAGER_END_OF_TURN
END = asr_pb2.TURN_EVENT_TYPE_END_OF_TURN
BEGAN_MS = 60_000


class Reply:
    """A reply that plays, and somebody who speaks over it."""

    def __init__(self, policy: dialog_pb2.InterruptionPolicy.ValueType = PAUSE) -> None:
        self.machine = TurnMachine(epoch=1, policy=policy)
        self.effects: list[Effect] = []
        self.began: list[str] = []
        self.barge_in = BargeIn(FloorSettings(), self.machine, self, RATE)
        self.machine.typed("tell me a story", with_speech=False)
        assert self.machine.answering is not None
        self.machine.reply_audible(self.machine.answering)

    def carry_out(self, effects: Sequence[Effect]) -> None:
        self.effects += effects

    def spoken_lately(self, stamp: common_pb2.Stamp) -> str:
        return "a long story"

    def hear(
        self,
        kind: asr_pb2.TurnEventType.ValueType,
        text: str,
        voiced_ms: int,
    ) -> None:
        """``voiced_ms``: how long the sound has lasted."""
        event = asr_pb2.TurnEvent(
            type=kind,
            sample=(BEGAN_MS + (0 if kind == START else voiced_ms)) * RATE // 1000,
            last_voiced_sample=(BEGAN_MS + voiced_ms) * RATE // 1000,
            transcript=asr_pb2.Transcript(text=text),
        )
        self.carry_out(self.barge_in.take(event))
        if kind == START:
            self.began = self.became()
            self.carry_out(self.barge_in.said(event))
        self.barge_in.cancel()

    def became(self) -> list[str]:
        """What became of the reply, in order."""
        shown = (HoldReply, ResumeReply, StopReply)
        return [type(effect).__name__ for effect in self.effects if isinstance(effect, shown)]


@pytest.mark.parametrize(
    ("guesses", "text"),
    [(["the", "the flow"], "uh huh"), (["though", "though i see"], "oh i see"),
     (["that", "that shall eight"], "that's right"), (["天", "天气好"], "对的")],
)  # fmt: skip
async def test_what_a_recogniser_guesses_in_mid_sound_stops_nothing(
    guesses: list[str], text: str
) -> None:
    reply = Reply()
    reply.hear(START, "", 0)
    for number, guess in enumerate(guesses):
        reply.hear(UPDATE, guess, 200 + 100 * number)
    reply.hear(EAGER, text, 400)
    assert reply.became() == ["HoldReply", "ResumeReply"]
    reply.hear(END, text, 400)
    assert reply.became() == ["HoldReply", "ResumeReply"]


@pytest.mark.parametrize("text", ["stop", "tell me more", "停", "等一下"])
async def test_a_short_interruption_stops_the_reply_when_it_has_been_said(text: str) -> None:
    reply = Reply()
    reply.hear(START, "", 0)
    reply.hear(UPDATE, text, 300)
    assert reply.became() == ["HoldReply"]
    reply.hear(EAGER, text, 400)
    assert reply.became() == ["HoldReply", "StopReply"]


@pytest.mark.parametrize("text", ["can you tell me", "请你告诉我"])
async def test_a_long_interruption_stops_the_reply_before_it_is_over(text: str) -> None:
    reply = Reply()
    reply.hear(START, "", 0)
    reply.hear(UPDATE, text, SHORT_MS)
    assert reply.became() == ["HoldReply", "StopReply"]


@pytest.mark.parametrize("text", ["stop", "停"])
async def test_a_command_to_be_quiet_wins_over_a_reply_that_goes_on(text: str) -> None:
    reply = Reply(IGNORE)
    reply.hear(START, "", 0)
    reply.hear(UPDATE, text, 300)
    assert reply.became() == []
    reply.hear(EAGER, text, 350)
    assert reply.became() == ["StopReply"]


async def test_the_length_of_an_earlier_sound_does_not_count() -> None:
    reply = Reply()
    reply.hear(START, "", -5000)
    reply.hear(END, "uh huh", -4700)
    reply.hear(START, "", 0)
    reply.hear(UPDATE, "the two of us", 300)
    assert reply.became() == ["HoldReply", "ResumeReply", "HoldReply"]


async def test_what_is_said_over_a_reply_is_not_judged_by_the_next_one() -> None:
    reply = Reply()
    reply.hear(START, "", 0)
    reply.machine.typed("what time is it", with_speech=False)
    reply.hear(END, "a long story", 400)  # Its own words, which the microphone has heard.
    ends = [effect.outcome for effect in reply.effects if isinstance(effect, EndTurn)]
    assert ends == [dialog_pb2.TURN_OUTCOME_BACKCHANNEL]


async def test_words_that_come_with_the_beginning_are_judged_after_it_has_been_told() -> None:
    reply = Reply()
    reply.hear(START, "tell me something else", SHORT_MS)
    assert reply.began == ["HoldReply"]
    assert reply.became() == ["HoldReply", "StopReply"]
