"""Speech over a reply in the turn machine: stop, hold, go on, keep for later."""

from __future__ import annotations

import pytest

from voicemesh.v1 import dialog_pb2 as pb
from voicemesh_orchestrator.turn.effects import (
    EndTurn,
    HoldReply,
    MoveFloor,
    OverlapDecided,
    ResumeReply,
    Speak,
    StartReply,
    StopReply,
)
from voicemesh_orchestrator.turn.machine import TurnMachine
from voicemesh_orchestrator.turn.phase import FloorMove
from voicemesh_orchestrator.turn.verdict import Verdict

PAUSE = pb.INTERRUPTION_POLICY_PAUSE_THEN_DECIDE
DUCK = pb.INTERRUPTION_POLICY_DUCK
IGNORE = pb.INTERRUPTION_POLICY_IGNORE
KEEPS = MoveFloor(FloorMove.CONTINUE_SPEAK, "backchannel")


def speaking(policy: pb.InterruptionPolicy.ValueType = PAUSE) -> tuple[TurnMachine, StartReply]:
    machine = TurnMachine(1, policy=policy)
    machine.user_started()
    (start,) = machine.user_finished("tell me a story")
    assert isinstance(start, StartReply)
    machine.reply_audible(start.stamp)
    return machine, start


@pytest.mark.parametrize("policy", [PAUSE, DUCK])
def test_a_backchannel_lets_the_reply_go_on_and_is_no_turn(
    policy: pb.InterruptionPolicy.ValueType,
) -> None:
    machine, story = speaking(policy)
    assert machine.user_started() == [HoldReply(story.stamp, duck=policy == DUCK)]
    assert machine.user_said(Verdict.BACKCHANNEL, fell_silent=False) == []
    resumed = [ResumeReply(story.stamp, "backchannel"), KEEPS]
    assert machine.user_said(Verdict.BACKCHANNEL, fell_silent=True) == resumed
    decided, ended = machine.user_finished("uh huh", Verdict.BACKCHANNEL)
    assert decided == OverlapDecided(Verdict.BACKCHANNEL)
    assert ended == EndTurn(machine.stamp, pb.TURN_OUTCOME_BACKCHANNEL)
    assert machine.answering == story.stamp


def test_words_stop_the_reply_before_the_turn_is_over() -> None:
    machine, story = speaking()
    machine.user_started()
    decided, stop, ended, floor = machine.user_said(Verdict.INTERRUPTION, fell_silent=False)
    assert decided == OverlapDecided(Verdict.INTERRUPTION)
    assert stop == StopReply(story.stamp, "speech")
    assert ended == EndTurn(story.stamp, pb.TURN_OUTCOME_INTERRUPTED)
    assert isinstance(floor, MoveFloor)
    assert floor.move is FloorMove.START_LISTEN
    (start,) = machine.user_finished("what time is it")
    assert isinstance(start, StartReply)


def test_nothing_that_follows_lets_the_reply_go_on_and_words_still_stop_it() -> None:
    machine, story = speaking()
    machine.user_started()
    assert machine.nothing_followed()[0] == ResumeReply(story.stamp, "timeout")
    assert machine.nothing_followed() == []
    assert machine.user_said(Verdict.INTERRUPTION, fell_silent=False)[1] == StopReply(
        story.stamp, "speech"
    )


def test_who_goes_on_after_a_sound_of_listening_holds_the_reply_again() -> None:
    machine, story = speaking()
    machine.user_started()
    machine.user_said(Verdict.BACKCHANNEL, fell_silent=True)
    assert machine.user_resumed() == [HoldReply(story.stamp, duck=False)]


def test_a_backchannel_after_the_last_word_is_no_question() -> None:
    machine, story = speaking()
    machine.user_started()
    machine.user_said(Verdict.BACKCHANNEL, fell_silent=True)
    machine.reply_done(story.stamp, pb.TURN_OUTCOME_COMPLETED)
    decided, ended = machine.user_finished("uh huh", Verdict.BACKCHANNEL)
    assert decided == OverlapDecided(Verdict.BACKCHANNEL)
    assert ended == EndTurn(machine.stamp, pb.TURN_OUTCOME_BACKCHANNEL)


def test_a_word_after_the_last_word_is_a_question() -> None:
    machine, story = speaking()
    machine.user_started()
    machine.nothing_followed()
    machine.reply_done(story.stamp, pb.TURN_OUTCOME_COMPLETED)
    _, start = machine.user_finished("Paris", Verdict.UNCLEAR)
    assert isinstance(start, StartReply)


@pytest.mark.parametrize("policy", [PAUSE, DUCK, IGNORE])
def test_a_hard_stop_is_obeyed_and_not_answered(policy: pb.InterruptionPolicy.ValueType) -> None:
    machine, story = speaking(policy)
    machine.user_started()
    assert machine.user_said(Verdict.HARD_STOP, fell_silent=False)[1] == StopReply(
        story.stamp, "stop"
    )
    (ended,) = machine.user_finished("stop", Verdict.HARD_STOP, only_stop=True)
    assert ended == EndTurn(machine.stamp, pb.TURN_OUTCOME_COMPLETED)
    machine.user_started()
    (start,) = machine.user_finished("stop", Verdict.HARD_STOP, only_stop=True)
    assert isinstance(start, StartReply)  # Nothing had to be silenced: it is a question.


def test_what_is_said_over_a_reply_that_goes_on_is_answered_afterwards() -> None:
    machine, story = speaking(IGNORE)
    machine.user_started()
    assert machine.user_said(Verdict.INTERRUPTION, fell_silent=True) == []
    assert machine.user_finished("what time is it") == [OverlapDecided(Verdict.INTERRUPTION)]
    kept = machine.stamp
    effects = machine.reply_done(story.stamp, pb.TURN_OUTCOME_COMPLETED)
    assert effects[-1] == StartReply(kept, "what time is it")


def test_who_wants_quiet_wants_no_later_answer_either() -> None:
    machine, _ = speaking(IGNORE)
    machine.user_started()
    machine.user_finished("what time is it")
    kept = machine.stamp
    assert machine.interrupt()[-1] == EndTurn(kept, pb.TURN_OUTCOME_INTERRUPTED)
    assert machine.answering is None


@pytest.mark.parametrize("verdict", [Verdict.BACKCHANNEL, Verdict.ECHO])
@pytest.mark.parametrize("typing", [False, True])
def test_a_nod_to_a_reply_that_is_stopped_meanwhile_is_not_answered(
    typing: bool, verdict: Verdict
) -> None:
    machine, _ = speaking()
    machine.user_started()
    if typing:
        machine.typed("what time is it", with_speech=False)
    else:
        machine.interrupt()
    answering = machine.answering
    assert machine.user_said(verdict, fell_silent=True) == []
    decided, ended = machine.user_finished("uh huh", verdict)
    assert decided == OverlapDecided(verdict)
    assert ended == EndTurn(machine.stamp, pb.TURN_OUTCOME_BACKCHANNEL)
    assert machine.answering == answering


@pytest.mark.parametrize("verdict", [Verdict.INTERRUPTION, Verdict.UNCLEAR])
def test_words_said_over_a_reply_that_is_stopped_meanwhile_are_answered(verdict: Verdict) -> None:
    machine, _ = speaking()
    machine.user_started()
    machine.interrupt()
    _, start = machine.user_finished("tomorrow", verdict)
    assert isinstance(start, StartReply)


def test_who_was_interrupted_by_the_robot_cannot_interrupt_it_but_by_a_hard_stop() -> None:
    machine = TurnMachine(1, policy=PAUSE)
    machine.user_started()
    (start,) = machine.user_finished("and then and then", keeps_floor=True)
    assert isinstance(start, StartReply)
    machine.reply_audible(start.stamp)
    assert machine.user_started() == [MoveFloor(FloorMove.CONTINUE_SPEAK, "policy")]
    assert machine.user_said(Verdict.INTERRUPTION, fell_silent=True) == []
    assert machine.user_said(Verdict.HARD_STOP, fell_silent=False)[1] == StopReply(
        start.stamp, "stop"
    )


def test_the_robots_own_detector_pauses_what_can_be_heard() -> None:
    machine, story = speaking()
    assert machine.speech_began() == [HoldReply(story.stamp, duck=False)]
    assert machine.speech_began() == []
    machine.nothing_followed()
    machine.reply_done(story.stamp, pb.TURN_OUTCOME_COMPLETED)
    assert machine.speech_began() == []


def test_the_robot_speaks_first_only_where_the_floor_is_free() -> None:
    machine = TurnMachine(1)
    (say,) = machine.speak("Hello.")
    assert isinstance(say, Speak)
    assert machine.speak("Hello again.") == []
    machine.reply_done(say.stamp, pb.TURN_OUTCOME_COMPLETED)
    machine.user_started()
    assert machine.speak("Hello again.") == []


def test_whoever_asks_for_a_turn_stops_the_reply_that_is_spoken_over() -> None:
    machine, story = speaking()
    machine.user_started()
    hearing = machine.hearing
    assert machine.expect(wants_answer=True)[0] == StopReply(story.stamp, "command")
    assert machine.hearing == hearing
    (start,) = machine.user_finished("yes", Verdict.BACKCHANNEL)
    assert isinstance(start, StartReply)


def test_a_reply_that_nobody_has_heard_yet_waits_instead_of_getting_quieter() -> None:
    machine = TurnMachine(1, policy=DUCK)
    (start,) = machine.typed("tell me a story", with_speech=False)
    assert isinstance(start, StartReply)
    assert machine.user_started() == [HoldReply(start.stamp, duck=False)]


def test_who_has_asked_over_a_reply_and_gone_is_not_answered_after_it() -> None:
    machine, story = speaking(IGNORE)
    machine.user_started()
    machine.user_finished("what time is it", Verdict.INTERRUPTION)
    asked = machine.stamp
    assert machine.give_up(asked) == [EndTurn(asked, pb.TURN_OUTCOME_ABANDONED)]
    ended, _ = machine.reply_done(story.stamp, pb.TURN_OUTCOME_COMPLETED)
    assert ended == EndTurn(story.stamp, pb.TURN_OUTCOME_COMPLETED)
    assert machine.answering is None


def test_a_reply_may_have_a_policy_of_its_own() -> None:
    machine = TurnMachine(1, policy=PAUSE)
    for policy, ducks in ((IGNORE, []), (DUCK, [True]), (PAUSE, [False])):
        for typed in (True, False):
            if typed:
                effects = machine.typed("tell me a story", False, policy)
            else:
                effects = machine.speak("It is late.", policy, commanded=True)
            machine.reply_audible(machine.stamp)
            assert isinstance(effects[-1], StartReply if typed else Speak)
            held = [e.duck for e in machine.speech_began() if isinstance(e, HoldReply)]
            assert held == ducks
    machine.expect(wants_answer=True, policy=IGNORE)
    machine.user_started()
    (start,) = machine.user_finished("tell me a story")
    assert isinstance(start, StartReply)
    machine.reply_audible(start.stamp)
    assert machine.speech_began() == []
    machine.reply_done(start.stamp, pb.TURN_OUTCOME_COMPLETED)
    machine.typed("tell me a story", with_speech=False)
    machine.reply_audible(machine.stamp)
    assert machine.speech_began() == [HoldReply(machine.stamp, duck=False)]


def test_what_a_controller_wants_said_replaces_a_reply_but_talks_over_nobody() -> None:
    machine, story = speaking()
    stop, ended, _, say = machine.speak("Dinner is ready.", commanded=True)
    assert stop == StopReply(story.stamp, "command")
    assert ended == EndTurn(story.stamp, pb.TURN_OUTCOME_INTERRUPTED)
    assert say == Speak(machine.stamp, "Dinner is ready.")
    machine.reply_done(machine.stamp, pb.TURN_OUTCOME_COMPLETED)
    machine.user_started()
    assert machine.speak("It is cold.", commanded=True) == []


def test_a_client_that_leaves_during_a_reply_leaves_the_floor_free() -> None:
    machine, story = speaking()
    machine.user_started()
    heard = machine.hearing
    assert heard is not None
    stop, ended, floor, forgotten = machine.abandon()
    assert stop == StopReply(story.stamp, "gone")
    assert ended == EndTurn(story.stamp, pb.TURN_OUTCOME_ABANDONED)
    assert floor == MoveFloor(FloorMove.START_LISTEN, "gone")
    assert forgotten == EndTurn(heard, pb.TURN_OUTCOME_ABANDONED)
    assert machine.phase.value == "idle"
