"""Eager turns in the turn machine: begun unheard, kept for the same words, discarded for others."""

from __future__ import annotations

import pytest

from voicemesh.errors import Unavailable
from voicemesh.stamps import order
from voicemesh.v1 import dialog_pb2 as pb
from voicemesh_orchestrator.text.words import same_words, words
from voicemesh_orchestrator.turn.effects import (
    Commit,
    Discard,
    EndTurn,
    MoveFloor,
    Speculate,
    StartReply,
)
from voicemesh_orchestrator.turn.machine import TurnMachine
from voicemesh_orchestrator.turn.phase import FloorMove


def spoken(text: str = "what time is it") -> tuple[TurnMachine, Speculate]:
    machine = TurnMachine(1)
    machine.user_started()
    (speculate,) = machine.eager_end(text, max_tries=3)
    assert isinstance(speculate, Speculate)
    return machine, speculate


def test_the_same_words_make_it_the_answer_under_its_own_revision() -> None:
    machine, begun = spoken("what time is it")
    assert (begun.stamp.turn, begun.stamp.revision) == (1, 1)
    assert machine.answering is None
    assert machine.user_finished("What time is it?") == [Commit(begun.stamp, "What time is it?")]
    assert machine.answering == machine.stamp == begun.stamp


def test_other_words_are_answered_under_a_newer_revision() -> None:
    machine, begun = spoken("what time is it")
    discard, start = machine.user_finished("what time is it in Berlin")
    assert discard == Discard(begun.stamp, "changed")
    assert isinstance(start, StartReply)
    assert order(start.stamp) > order(begun.stamp)
    assert start.stamp.turn == begun.stamp.turn


def test_who_goes_on_speaking_is_answered_under_a_newer_revision() -> None:
    machine, begun = spoken("what time is it")
    discard, floor = machine.user_resumed()
    assert discard == Discard(begun.stamp, "resumed")
    assert isinstance(floor, MoveFloor)
    assert floor.move is FloorMove.CONTINUE_LISTEN
    (again,) = machine.eager_end("what time is it in Berlin", max_tries=3)
    assert isinstance(again, Speculate)
    assert order(again.stamp) > order(begun.stamp)
    (commit,) = machine.user_finished("what time is it in Berlin")
    assert commit == Commit(again.stamp, "what time is it in Berlin")


def test_a_turn_is_begun_so_often_and_not_more() -> None:
    machine = TurnMachine(1)
    machine.user_started()
    for _ in range(3):
        assert machine.eager_end("well", max_tries=3)
        machine.user_resumed()
    assert machine.eager_end("well", max_tries=3) == []
    machine.user_finished("well")
    machine.interrupt()
    machine.user_started()
    assert machine.eager_end("well", max_tries=3)


def test_text_that_is_typed_with_it_changes_the_question() -> None:
    machine, begun = spoken("what time is it")
    machine.typed("in Berlin", with_speech=True)
    discard, start = machine.user_finished("what time is it")
    assert discard == Discard(begun.stamp, "changed")
    assert isinstance(start, StartReply)
    assert start.question == "what time is it\nin Berlin"


def test_text_that_is_typed_instead_takes_the_model() -> None:
    machine, begun = spoken()
    discard, start = machine.typed("hello", with_speech=False)
    assert discard == Discard(begun.stamp, "text")
    assert isinstance(start, StartReply)
    assert machine.eager_end("what time is it", max_tries=3) == []


def test_nothing_is_begun_for_a_turn_that_wants_no_answer() -> None:
    machine = TurnMachine(1)
    machine.expect(wants_answer=False)
    machine.user_started()
    assert machine.eager_end("hello", max_tries=3) == []
    machine, begun = spoken()
    hearing = machine.hearing
    assert hearing is not None
    assert machine.give_up(hearing) == [Discard(begun.stamp, "unwanted")]


def test_what_fails_unheard_is_begun_again_when_the_turn_is_over() -> None:
    machine, begun = spoken("hello")
    assert machine.speculation_failed(begun.stamp) == [Discard(begun.stamp, "failed")]
    assert machine.speculation_failed(begun.stamp) == []
    (start,) = machine.user_finished("hello")
    assert isinstance(start, StartReply)
    assert order(start.stamp) > order(begun.stamp)


def test_lost_recognition_and_a_lost_client_discard_it() -> None:
    machine, begun = spoken()
    assert machine.recognition_failed(Unavailable("gone"))[0] == Discard(begun.stamp, "failed")
    machine, begun = spoken()
    hearing = machine.hearing
    assert hearing is not None
    assert machine.abandon() == [
        Discard(begun.stamp, "gone"),
        EndTurn(hearing, pb.TURN_OUTCOME_ABANDONED),
    ]


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("What time is it?", "what time  is it", True),
        ("It's 3.5 degrees.", "its 3.5 degrees", True),
        ("今天天气怎么样？", "今天 天气怎么样", True),
        ("ＡＢＣ 你好", "abc，你好", True),
        ("3.5", "35", False),
        ("50%", "50", False),
        ("a part", "apart", False),
        ("今天", "明天", False),
    ],
)
def test_words_are_compared_without_case_marks_and_spaces(one: str, other: str, same: bool) -> None:
    assert same_words(one, other) is same


def test_a_chinese_character_is_a_word() -> None:
    assert words("别说了, please!") == ("别", "说", "了", "please")
