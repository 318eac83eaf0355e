"""The turn machine: who has the floor, and which work is still wanted."""

import pytest
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    rule,
    run_state_machine_as_test,
)

from voicemesh.errors import Unavailable
from voicemesh.stamps import order
from voicemesh.v1 import dialog_pb2 as pb
from voicemesh.v1.common_pb2 import Stamp
from voicemesh_orchestrator.turn.effects import (
    Apologise,
    Commit,
    Discard,
    Effect,
    EndTurn,
    HoldReply,
    MoveFloor,
    ResumeReply,
    Speak,
    Speculate,
    StartReply,
    StopReply,
)
from voicemesh_orchestrator.turn.machine import TurnMachine
from voicemesh_orchestrator.turn.phase import FloorMove
from voicemesh_orchestrator.turn.verdict import Verdict

LOST = Unavailable("gone")


def kinds(effects: list[Effect]) -> list[str]:
    return [type(effect).__name__ for effect in effects]


def phase_of(machine: TurnMachine) -> str:
    return machine.phase.value


def test_a_spoken_question_is_answered_and_the_floor_moves_there_and_back() -> None:
    machine = TurnMachine(1)
    assert machine.user_started() == []
    assert phase_of(machine) == "listening"
    (start,) = machine.user_finished("what time is it")
    assert isinstance(start, StartReply)
    assert (start.question, start.stamp.turn) == ("what time is it", 1)
    assert phase_of(machine) == "thinking"
    (floor,) = machine.reply_audible(start.stamp)
    assert isinstance(floor, MoveFloor)
    assert floor.move is FloorMove.START_SPEAK
    end, back = machine.reply_done(start.stamp, pb.TURN_OUTCOME_COMPLETED)
    assert end == EndTurn(start.stamp, pb.TURN_OUTCOME_COMPLETED)
    assert isinstance(back, MoveFloor)
    assert back.move is FloorMove.START_LISTEN
    assert phase_of(machine) == "idle"


def test_speech_during_a_reply_stops_it_under_a_newer_stamp() -> None:
    machine = TurnMachine(1)
    machine.user_started()
    (start,) = machine.user_finished("tell me a story")
    assert isinstance(start, StartReply)
    machine.reply_audible(start.stamp)
    effects = machine.user_started()
    assert kinds(effects) == ["StopReply", "EndTurn", "MoveFloor"]
    assert effects[0] == StopReply(start.stamp, "speech")
    assert order(machine.stamp) > order(start.stamp)
    assert machine.reply_done(start.stamp, pb.TURN_OUTCOME_COMPLETED) == []


def test_nothing_heard_ends_the_turn_without_a_reply() -> None:
    machine = TurnMachine(1)
    machine.user_started()
    (end,) = machine.user_finished("  ")
    assert end == EndTurn(machine.stamp, pb.TURN_OUTCOME_NOTHING_HEARD)


def test_typed_text_goes_with_the_speech_that_follows() -> None:
    machine = TurnMachine(1)
    assert machine.typed("the red one", with_speech=True) == []
    machine.user_started()
    (start,) = machine.user_finished("which ball did I mean")
    assert isinstance(start, StartReply)
    assert start.question == "which ball did I mean\nthe red one"


def test_text_typed_while_the_user_speaks_is_answered_and_then_the_speech() -> None:
    machine = TurnMachine(1)
    machine.user_started()
    (typed,) = machine.typed("what time is it", with_speech=False)
    assert isinstance(typed, StartReply)
    effects = machine.user_finished("and what day")
    assert kinds(effects) == ["StopReply", "EndTurn", "StartReply"]
    spoken = effects[-1]
    assert isinstance(spoken, StartReply)
    assert order(spoken.stamp) > order(typed.stamp)


def test_a_failed_reply_is_apologised_for_and_then_failed() -> None:
    machine = TurnMachine(1)
    (start,) = machine.typed("hello", with_speech=False)
    assert isinstance(start, StartReply)
    assert machine.reply_failed(start.stamp, LOST) == [Apologise(start.stamp, LOST)]
    (end,) = machine.reply_done(start.stamp, pb.TURN_OUTCOME_FAILED)
    assert end == EndTurn(start.stamp, pb.TURN_OUTCOME_FAILED)


def test_losing_recognition_concerns_only_a_user_who_speaks() -> None:
    machine = TurnMachine(1)
    assert machine.recognition_failed(LOST) == []
    machine.user_started()
    (apology,) = machine.recognition_failed(LOST)
    assert isinstance(apology, Apologise)
    assert not machine.hearing


def test_speech_that_was_asked_for_has_the_stamp_of_the_request() -> None:
    machine = TurnMachine(3, turn=7)
    assert machine.expect(wants_answer=True) == []
    expected = machine.expected
    assert expected is not None
    assert (expected.epoch, expected.turn) == (3, 8)
    assert phase_of(machine) == "listening"
    assert machine.user_started() == []
    assert machine.hearing == expected
    (start,) = machine.user_finished("hello")
    assert start == StartReply(expected, "hello")


def test_speech_that_is_only_to_be_heard_is_not_answered_and_the_next_is() -> None:
    machine = TurnMachine(1)
    for text, outcome in (
        ("hello", pb.TURN_OUTCOME_COMPLETED),
        ("", pb.TURN_OUTCOME_NOTHING_HEARD),
    ):
        machine.expect(wants_answer=False)
        machine.user_started()
        (end,) = machine.user_finished(text)
        assert end == EndTurn(machine.stamp, outcome)
    machine.user_started()
    assert kinds(machine.user_finished("and now")) == ["StartReply"]


def test_to_be_told_to_listen_stops_the_reply() -> None:
    machine = TurnMachine(1)
    (start,) = machine.typed("hello", with_speech=False)
    assert isinstance(start, StartReply)
    assert machine.expect(wants_answer=True) == [
        StopReply(start.stamp, "command"),
        EndTurn(start.stamp, pb.TURN_OUTCOME_INTERRUPTED),
    ]


def test_a_user_who_speaks_already_is_the_turn_that_is_asked_for() -> None:
    machine = TurnMachine(1)
    machine.user_started()
    speaking = machine.hearing
    assert speaking is not None
    assert machine.expect(wants_answer=False) == []
    assert machine.expected is None
    (end,) = machine.user_finished("hello")
    assert end == EndTurn(speaking, pb.TURN_OUTCOME_COMPLETED)


@pytest.mark.parametrize("newer", ["text", "listen"])
def test_something_newer_ends_the_turn_that_nobody_has_begun(newer: str) -> None:
    machine = TurnMachine(1)
    machine.expect(wants_answer=True)
    expected = machine.expected
    assert expected is not None
    effects = (
        machine.typed("hello", with_speech=False)
        if newer == "text"
        else machine.expect(wants_answer=True)
    )
    assert effects[0] == EndTurn(expected, pb.TURN_OUTCOME_INTERRUPTED)
    assert machine.expected != expected


def test_whoever_was_expected_to_speak_hears_an_apology_when_recognition_fails() -> None:
    machine = TurnMachine(1)
    machine.expect(wants_answer=True)
    expected = machine.expected
    assert expected is not None
    assert machine.recognition_failed(LOST) == [Apologise(expected, LOST)]
    assert machine.expected is None


def test_a_turn_that_is_given_up_is_not_answered_in_whatever_phase() -> None:
    machine = TurnMachine(1)
    machine.expect(wants_answer=True)
    assert machine.give_up(machine.stamp) == [EndTurn(machine.stamp, pb.TURN_OUTCOME_ABANDONED)]
    machine.expect(wants_answer=True)
    machine.user_started()
    assert machine.give_up(machine.stamp) == []
    assert kinds(machine.user_finished("hello")) == ["EndTurn"]
    (start,) = machine.typed("hello", with_speech=False)
    assert isinstance(start, StartReply)
    assert machine.give_up(start.stamp) == [
        StopReply(start.stamp, "gone"),
        EndTurn(start.stamp, pb.TURN_OUTCOME_ABANDONED),
    ]
    assert machine.give_up(start.stamp) == []


SPEAKING = {FloorMove.START_SPEAK, FloorMove.CONTINUE_SPEAK}
STAYING = {FloorMove.CONTINUE_LISTEN, FloorMove.CONTINUE_SPEAK}


class AnyOrder(RuleBasedStateMachine):
    """Whatever happens in whatever order, work is started and ended once."""

    policy = pb.INTERRUPTION_POLICY_STOP

    def __init__(self) -> None:
        super().__init__()
        self.machine = TurnMachine(1, policy=self.policy)
        self.started: dict[int, Stamp] = {}
        self.ended: set[int] = set()
        self.begun: Stamp | None = None
        self.newest = (0, 0, 0, 0)
        self.held: Stamp | None = None
        self.speaking = False

    def carry_out(self, effects: list[Effect]) -> None:
        for effect in effects:
            match effect:
                case Speculate(stamp):
                    assert self.begun is None
                    assert self.machine.answering is None
                    self.begun = self.fresh(stamp)
                case Discard(stamp) | Commit(stamp):
                    assert stamp == self.begun
                    self.begun = None
                    if isinstance(effect, Commit):
                        self.start(stamp)
                case StartReply(stamp) | Speak(stamp):
                    assert self.begun is None
                    self.start(stamp)
                case Apologise(stamp):
                    self.started[stamp.turn] = stamp
                case HoldReply(stamp):
                    assert self.held is None
                    self.held = stamp
                case ResumeReply(stamp):
                    assert stamp == self.held
                    self.held = None
                case StopReply(stamp):
                    self.held = None
                case EndTurn(stamp):
                    assert stamp.turn not in self.ended
                    self.ended.add(stamp.turn)
                    if self.held == stamp:
                        self.held = None
                case MoveFloor(move):
                    speaking = move in SPEAKING
                    assert (speaking == self.speaking) == (move in STAYING)
                    self.speaking = speaking

    def fresh(self, stamp: Stamp) -> Stamp:
        """Work begins under a stamp that is newer than that of any work before."""
        assert order(stamp) > self.newest
        self.newest = order(stamp)
        return stamp

    def start(self, stamp: Stamp) -> None:
        assert stamp.turn not in self.ended
        assert stamp.turn not in self.started
        self.started[stamp.turn] = stamp
        self.newest = max(self.newest, order(stamp))

    @rule()
    def user_starts(self) -> None:
        self.carry_out(self.machine.user_started())

    @rule(text=st.sampled_from(["", "hello", "stop"]))
    def user_pauses(self, text: str) -> None:
        self.carry_out(self.machine.eager_end(text, max_tries=3))

    @rule()
    def user_goes_on(self) -> None:
        self.carry_out(self.machine.user_resumed())

    @rule()
    def what_was_begun_fails(self) -> None:
        if self.begun is not None:
            self.carry_out(self.machine.speculation_failed(self.begun))

    @rule(verdict=st.sampled_from(Verdict), silent=st.booleans())
    def user_says_something_over_the_reply(self, verdict: Verdict, silent: bool) -> None:
        self.carry_out(self.machine.user_said(verdict, silent))

    @rule()
    def the_robot_hears_somebody(self) -> None:
        self.carry_out(self.machine.speech_began())

    @rule()
    def nothing_follows(self) -> None:
        self.carry_out(self.machine.nothing_followed())

    @rule(
        text=st.sampled_from(["", "hello", "stop"]),
        verdict=st.sampled_from(Verdict),
        keeps_floor=st.booleans(),
    )
    def user_finishes(self, text: str, verdict: Verdict, keeps_floor: bool) -> None:
        only_stop = verdict is Verdict.HARD_STOP
        self.carry_out(self.machine.user_finished(text, verdict, only_stop, keeps_floor))

    @rule()
    def robot_speaks_first(self) -> None:
        self.carry_out(self.machine.speak("hello"))

    @rule(with_speech=st.booleans())
    def types(self, with_speech: bool) -> None:
        self.carry_out(self.machine.typed("typed", with_speech))

    @rule(turn=st.integers(0, 9), failed=st.booleans())
    def reply_goes_on(self, turn: int, failed: bool) -> None:
        if turn in self.started:
            stamp = self.started[turn]
            self.carry_out(self.machine.reply_audible(stamp))
            if failed:
                self.carry_out(self.machine.reply_failed(stamp, LOST))
            else:
                self.carry_out(self.machine.reply_done(stamp, pb.TURN_OUTCOME_COMPLETED))

    @rule()
    def reply_begins_to_be_heard(self) -> None:
        if self.machine.answering is not None:
            self.carry_out(self.machine.reply_audible(self.machine.answering))

    @rule()
    def client_interrupts(self) -> None:
        self.carry_out(self.machine.interrupt())

    @rule(wants_answer=st.booleans())
    def is_told_to_listen(self, wants_answer: bool) -> None:
        self.carry_out(self.machine.expect(wants_answer))

    @rule()
    def nobody_speaks(self) -> None:
        self.carry_out(self.machine.nobody_spoke())

    @rule(back=st.integers(0, 2))
    def controller_vanishes(self, back: int) -> None:
        stamp = type(self.machine.stamp)()
        stamp.CopyFrom(self.machine.stamp)
        stamp.turn = max(0, stamp.turn - back)
        self.carry_out(self.machine.give_up(stamp))

    @rule()
    def recognition_is_lost(self) -> None:
        self.carry_out(self.machine.recognition_failed(LOST))

    @invariant()
    def at_most_one_turn_is_answered(self) -> None:
        live = set(self.started) - self.ended
        answering = self.machine.answering
        assert live == ({answering.turn} if answering is not None else set())

    @invariant()
    def nothing_is_begun_while_something_is_answered(self) -> None:
        assert self.machine.speculating == self.begun
        assert self.begun is None or self.machine.answering is None

    @invariant()
    def only_the_reply_under_way_is_held(self) -> None:
        assert self.machine.held == (self.held is not None)
        assert self.held is None or self.held == self.machine.answering

    @invariant()
    def nobody_is_expected_who_speaks_already(self) -> None:
        assert self.machine.expected is None or self.machine.hearing is None
        assert self.machine.expected is None or self.machine.expected == self.machine.stamp

    @invariant()
    def the_floor_is_the_robots_only_while_it_answers(self) -> None:
        assert self.speaking == (self.machine.phase.value == "speaking")


@pytest.mark.parametrize("policy", pb.InterruptionPolicy.values()[1:])
def test_any_order(policy: pb.InterruptionPolicy.ValueType) -> None:
    chosen = type("WithPolicy", (AnyOrder,), {"policy": policy})
    settings = hypothesis_settings(max_examples=60, stateful_step_count=30, deadline=None)
    run_state_machine_as_test(chosen, settings=settings)
