"""What must be true of every user's turn."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from voicemesh.v1 import asr_pb2, common_pb2
from voicemesh.v1 import dialog_pb2 as pb

from .plans import NODS, QUESTIONS, STOPS
from .world import ASR, World

_SILENTLY = ("client", "text")
_IGNORE, _STOP = "INTERRUPTION_POLICY_IGNORE", "INTERRUPTION_POLICY_STOP"


def plain(text: str) -> str:
    """Text without what two spellings of the same words may differ in."""
    return "".join(char for char in text.casefold() if char.isalnum())


def begun_turns(world: World) -> set[int]:
    """The turns that had a reply."""
    return {response.stamp.turn for response in world.wire.of("reply_started")}


def _spoken(world: World, kind: asr_pb2.TurnEventType.ValueType) -> list[pb.ConverseResponse]:
    return [told for told in world.wire.of("turn_event") if told.turn_event.type == kind]


def _ends(world: World) -> list[tuple[int, str]]:
    """The turns whose end was heard, and what was understood in them."""
    ends = _spoken(world, asr_pb2.TURN_EVENT_TYPE_END_OF_TURN)
    return [(told.stamp.turn, told.turn_event.transcript.text) for told in ends]


def every_turn_ends_once(world: World) -> None:
    """Each that was answered, and no turn twice; each that was begun by speech, too."""
    ended = Counter(response.stamp.turn for response in world.wire.of("turn_ended"))
    assert all(count == 1 for count in ended.values()), ended
    assert begun_turns(world) <= set(ended), (begun_turns(world), ended)
    starts = _spoken(world, asr_pb2.TURN_EVENT_TYPE_START_OF_TURN)
    spoken = {told.stamp.turn for told in starts}
    # What is typed meanwhile takes a newer number; so does then the speech.
    if not world.typed:
        assert spoken <= set(ended), (spoken, ended)


def nothing_fails_by_itself(world: World) -> None:
    """Only a service that is lost makes a turn fail."""
    if not world.network.lost:
        assert not world.wire.of("error")
        outcomes = [told.turn_ended.outcome for told in world.wire.of("turn_ended")]
        assert pb.TURN_OUTCOME_FAILED not in outcomes


def everything_said_is_heard(world: World) -> None:
    """No word gets lost between the microphone and the recogniser, and none is heard twice."""
    if world.leaving == "at rest" and not world.lost_words:
        heard = "".join(text for _, text in _ends(world))
        assert plain(heard) == plain("".join(world.said)), (heard, world.said)


def who_asks_is_answered(world: World) -> None:
    """What was understood of a question is in one that is answered, though the robot spoke."""
    if world.leaving != "at rest":
        return
    answered = [plain(told.reply_started.question) for told in world.wire.of("reply_started")]
    failed = {
        told.stamp.turn
        for told in world.wire.of("turn_ended")
        if told.turn_ended.outcome == pb.TURN_OUTCOME_FAILED
    }
    waited_in_vain = _waited_in_vain(world)
    for turn, text in _ends(world):
        if _is_question(text) and turn not in failed | waited_in_vain:
            assert any(plain(text) in question for question in answered), (text, answered)


def _waited_in_vain(world: World) -> set[int]:
    """The turns whose question waited for the end of a reply, and was given up for a reason.

    A newer question takes the place of one that waits; who stops the reply, by whatever
    means, wants no other one either.
    """
    if world.circumstances.policy != _IGNORE:
        return set()
    waiting: set[int] = set()
    given_up: set[int] = set()
    for _, told in world.wire.said_at:
        match told.WhichOneof("converse_response"):
            case "reply_started":
                waiting.discard(told.stamp.turn)
            case "reply_interrupted":
                given_up |= waiting
            case "turn_event" if told.turn_event.type == asr_pb2.TURN_EVENT_TYPE_END_OF_TURN:
                if told.turn_event.transcript.text:
                    given_up |= waiting
                    waiting = {told.stamp.turn}
    return given_up


def who_was_cut_off_is_not_half_heard(world: World) -> None:
    """Where recognition is lost in a turn its rest is no turn: first the apology is said."""
    hearing, lost = False, 0
    for _, told in world.wire.said_at:
        match told.WhichOneof("converse_response"):
            case "turn_event" if told.turn_event.type == asr_pb2.TURN_EVENT_TYPE_START_OF_TURN:
                assert not lost, told
                hearing = True
            case "turn_event" if told.turn_event.type == asr_pb2.TURN_EVENT_TYPE_END_OF_TURN:
                hearing = False
            case "error" if told.error.stage == common_pb2.STAGE_ASR:
                hearing, lost = False, told.stamp.turn if hearing else 0
            case "turn_ended" if told.stamp.turn == lost:
                lost = 0


def _is_question(text: str) -> bool:
    """Whether it is all of one, and no more than a nod beside it."""
    questions = [question for language in QUESTIONS.values() for question in language]
    whole = any(plain(question) in plain(text) for question in questions)
    return whole and not any(plain(stop) in plain(text) for stop in STOPS.values())


def who_nods_is_not_answered(world: World) -> None:
    """Who makes a sound of listening while the robot speaks has no turn, unless it stops for it.

    Nor has who does while somebody stops the robot in another way: by a button, by typing.
    """
    if world.circumstances.policy == _STOP or ASR in world.network.lost:
        return
    ended = {told.stamp.turn: told.turn_ended.outcome for told in world.wire.of("turn_ended")}
    nods = {plain(nod) for nod in NODS.values()}
    for turn, text in _said_over_a_reply(world):
        if plain(text) in nods:
            outcomes = (pb.TURN_OUTCOME_BACKCHANNEL, pb.TURN_OUTCOME_ABANDONED)
            assert ended[turn] in outcomes, (turn, text, ended[turn])


def who_wants_quiet_is_not_answered(world: World) -> None:
    """Nothing is said to who says nothing but "stop" over a reply, whatever its policy."""
    stops = {plain(stop) for stop in STOPS.values()}
    answered = begun_turns(world)
    for turn, text in _said_over_a_reply(world, although_stopped=True):
        assert plain(text) not in stops or turn not in answered, (turn, text)


def _said_over_a_reply(world: World, although_stopped: bool = False) -> Iterator[tuple[int, str]]:
    """The spoken turns that began while a reply was under way, and what was understood.

    ``although_stopped``: also those that have stopped it, as speech does.
    """
    replying = over = False
    for _, told in world.wire.said_at:
        match told.WhichOneof("converse_response"):
            case "reply_started":
                replying = True
            case "reply_interrupted":
                replying = False
                silently = told.reply_interrupted.reason in _SILENTLY
                over = over and (silently or although_stopped)
            case "reply_ended":
                replying = False
            case "turn_event":
                event = told.turn_event
                if event.type == asr_pb2.TURN_EVENT_TYPE_START_OF_TURN:
                    over = replying
                elif event.type == asr_pb2.TURN_EVENT_TYPE_END_OF_TURN and over:
                    yield told.stamp.turn, event.transcript.text  # The number may be newer now.
