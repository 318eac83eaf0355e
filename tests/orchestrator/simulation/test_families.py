"""The six families of conversations of arXiv 2406.15718, and what listeners do besides.

Speaker, recogniser, model and voice are a script; client and orchestrator are real.
"""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from voicemesh.v1 import dialog_pb2 as pb

from .properties import check
from .world import Circumstances, Script, World, live

S_SPEAK = pb.FLOOR_TRANSITION_START_SPEAK
S_LISTEN = pb.FLOOR_TRANSITION_START_LISTEN
C_SPEAK = pb.FLOOR_TRANSITION_CONTINUE_SPEAK
C_LISTEN = pb.FLOOR_TRANSITION_CONTINUE_LISTEN
COMPLETED, INTERRUPTED = pb.TURN_OUTCOME_COMPLETED, pb.TURN_OUTCOME_INTERRUPTED


TAKEN = [(S_SPEAK, "reply"), (S_LISTEN, "speech"), (S_SPEAK, "reply"), (S_LISTEN, "done")]
"""How the floor moves when an answer is interrupted, and the interruption answered."""


@dataclass(frozen=True)
class Lines:
    """What is said in a language."""

    first: str
    first_answer: str
    second: str
    second_answer: str
    stop: str
    correction: str
    correction_answer: str
    reset: str
    reset_answer: str
    back: str
    back_answer: str
    nod: str

    def answer(self, question: str) -> str:
        return {
            self.first: self.first_answer,
            self.second: self.second_answer,
            self.correction: self.correction_answer,
            self.reset: self.reset_answer,
            self.back: self.back_answer,
        }[question]


LINES = {
    "en": Lines(
        first="what is the weather today",
        first_answer="It is sunny today, and it stays warm until the evening. At night it may rain "
        "a little near the sea.",
        second="what time is it",
        second_answer="It is ten past four in the afternoon.",
        stop="stop",
        correction="no i mean tomorrow",
        correction_answer="Tomorrow there will be snow in the hills.",
        reset="forget it let us begin again",
        reset_answer="All right, let us begin again.",
        back="so back to the weather",
        back_answer="As I said, the sun shines today.",
        nod="uh huh",
    ),
    "zh": Lines(
        first="今天天气怎么样",
        first_answer="今天天气很晴朗，一直到傍晚都很暖和。夜里海边可能会下一点小雨，记得带伞。",
        second="现在几点了",
        second_answer="现在是下午四点十分。",
        stop="停",
        correction="不是我说明天",
        correction_answer="明天山里会下大雪。",
        reset="算了我们重新开始",
        reset_answer="好的，我们重新开始吧。",
        back="回到天气的话题",
        back_answer="我刚才说过，今天是晴天。",
        nod="嗯",
    ),
}


@pytest.fixture(params=LINES)
def lines(request: pytest.FixtureRequest) -> Lines:
    return LINES[request.param]


def converse(lines: Lines, script: Script) -> World:
    """The conversation, of which everything is true that is true of all."""

    async def with_resets(world: World) -> None:
        world.model.resets = frozenset({lines.reset})
        await script(world)

    world = live(Circumstances(), with_resets, lines.answer)
    check(world)
    return world


def converse_over_the_answer(
    lines: Lines, said: str, after_s: float = 1.0, then: str = ""
) -> World:
    """The first question, ``said`` into its answer, and ``then`` when all is over."""

    async def script(world: World) -> None:
        await world.say(lines.first)
        await world.heard_of_reply(after_s)
        await world.say(said)
        if then:
            await world.at_rest()
            await world.say(then)

    return converse(lines, script)


def floor(world: World) -> list[tuple[pb.FloorTransition.ValueType, str]]:
    """How the floor moved, and why."""
    moves = [response.floor for response in world.wire.of("floor")]
    for move in moves:
        speaks = move.transition in (S_SPEAK, C_SPEAK)
        assert move.state == (pb.FLOOR_STATE_SPEAK if speaks else pb.FLOOR_STATE_LISTEN)
    return [(move.transition, move.reason) for move in moves]


def turns(world: World) -> list[tuple[str, pb.TurnOutcome.ValueType]]:
    """The questions and how their turns ended."""
    ended = [response.turn_ended for response in world.wire.of("turn_ended")]
    return [(turn.question, turn.outcome) for turn in ended]


def prompt(world: World, number: int = -1) -> list[tuple[str, bool]]:
    """What the model was shown: texts, and whether they were interrupted."""
    messages = world.model.asked[number].generation.messages
    return [(message.parts[0].text, message.interrupted) for message in messages]


def heard(world: World, question: str) -> str:
    """What was heard of the answer to ``question``."""
    ended = [response.turn_ended for response in world.wire.of("turn_ended")]
    return next(turn.heard_text for turn in ended if turn.question == question)


def is_begun(part: str, whole: str) -> bool:
    return bool(part) and whole.startswith(part) and len(part) < len(whole)


def test_basic_questions_are_answered_to_the_end(lines: Lines) -> None:
    async def script(world: World) -> None:
        await world.say(lines.first)
        await world.at_rest()
        await world.say(lines.second)

    world = converse(lines, script)
    assert floor(world) == [(S_SPEAK, "reply"), (S_LISTEN, "done")] * 2
    assert turns(world) == [(lines.first, COMPLETED), (lines.second, COMPLETED)]
    assert prompt(world) == [
        (lines.first, False),
        (lines.first_answer, False),
        (lines.second, False),
    ]


def test_topic_interweaving_a_second_question_takes_the_floor(lines: Lines) -> None:
    world = converse_over_the_answer(lines, lines.second)
    assert floor(world) == TAKEN
    assert turns(world) == [(lines.first, INTERRUPTED), (lines.second, COMPLETED)]
    part = heard(world, lines.first)
    assert is_begun(part, lines.first_answer)
    assert prompt(world) == [(lines.first, False), (part, True), (lines.second, False)]


def test_generation_termination_stop_is_obeyed_and_not_answered(lines: Lines) -> None:
    world = converse_over_the_answer(lines, lines.stop)
    assert floor(world) == [(S_SPEAK, "reply"), (S_LISTEN, "stop")]
    assert turns(world) == [(lines.first, INTERRUPTED), ("", COMPLETED)]
    assert len(world.model.asked) == 1
    assert is_begun(heard(world, lines.first), lines.first_answer)


def test_regeneration_a_correction_is_answered_in_the_light_of_what_was_heard(
    lines: Lines,
) -> None:
    world = converse_over_the_answer(lines, lines.correction, after_s=0.8)
    assert floor(world) == TAKEN
    part = heard(world, lines.first)
    assert is_begun(part, lines.first_answer)
    assert prompt(world) == [(lines.first, False), (part, True), (lines.correction, False)]
    assert heard(world, lines.correction) == lines.correction_answer


def test_dialogue_reset_forgets_what_was_before(lines: Lines) -> None:
    world = converse_over_the_answer(lines, lines.reset, then=lines.second)
    assert turns(world) == [
        (lines.first, INTERRUPTED),
        (lines.reset, COMPLETED),
        (lines.second, COMPLETED),
    ]
    assert floor(world)[1] == (S_LISTEN, "speech")
    assert floor(world)[2:] == [(S_SPEAK, "reply"), (S_LISTEN, "done")] * 2
    assert prompt(world) == [(lines.second, False)]


def test_back_on_topic_the_digression_and_what_was_before_are_remembered(lines: Lines) -> None:
    world = converse_over_the_answer(lines, lines.second, then=lines.back)
    part = heard(world, lines.first)
    assert is_begun(part, lines.first_answer)
    assert prompt(world) == [
        (lines.first, False),
        (part, True),
        (lines.second, False),
        (lines.second_answer, False),
        (lines.back, False),
    ]
    assert floor(world)[2:] == [(S_SPEAK, "reply"), (S_LISTEN, "done")] * 2
    assert heard(world, lines.back) == lines.back_answer


def test_a_nod_keeps_the_floor_and_the_reply_goes_on_where_it_paused(lines: Lines) -> None:
    world = converse_over_the_answer(lines, lines.nod)
    assert floor(world) == [(S_SPEAK, "reply"), (C_SPEAK, "backchannel"), (S_LISTEN, "done")]
    assert turns(world) == [("", pb.TURN_OUTCOME_BACKCHANNEL), (lines.first, COMPLETED)]
    started = world.wire.of("reply_started")[0]
    sent = sum(len(r.reply_audio.chunk.audio) // 2 for r in world.wire.of("reply_audio"))
    assert len(world.robot.played(started.stamp)) == sent


def test_a_noise_pauses_the_reply_for_a_moment_only(lines: Lines) -> None:
    async def script(world: World) -> None:
        await world.say(lines.first)
        await world.heard_of_reply(1.0)
        await world.make_noise(0.04)

    world = converse(lines, script)
    assert floor(world) == [(S_SPEAK, "reply"), (C_SPEAK, "timeout"), (S_LISTEN, "done")]
    assert turns(world) == [(lines.first, COMPLETED)]


def test_who_pauses_in_the_middle_is_listened_to(lines: Lines) -> None:
    async def script(world: World) -> None:
        await world.say(lines.first, pause_s=0.5)

    world = converse(lines, script)
    assert floor(world) == [(C_LISTEN, "resumed"), (S_SPEAK, "reply"), (S_LISTEN, "done")]
    assert turns(world) == [(lines.first, COMPLETED)]
    begun = [request.generation.messages[-1].parts[0].text for request in world.model.asked]
    assert begun[0] != lines.first
    assert begun[-1] == lines.first
    assert len(world.wire.of("reply_started")) == 1
