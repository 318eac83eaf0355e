"""What must be true of every user's turn."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from voicemesh.v1 import asr_pb2
from voicemesh.v1 import dialog_pb2 as pb

from .plans import NODS, QUESTIONS, STOPS
from .world import ASR, World

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
    # Under this policy a question waits, and a newer one takes its place.
    ignores = world.circumstances.policy == _IGNORE
    if world.leaving != "at rest" or ignores:
        return
    answered = [plain(told.reply_started.question) for told in world.wire.of("reply_started")]
    failed = {
        told.stamp.turn
        for told in world.wire.of("turn_ended")
        if told.turn_ended.outcome == pb.TURN_OUTCOME_FAILED
    }
    for turn, text in _ends(world):
        if _is_question(text) and turn not in failed:
            assert any(plain(text) in question for question in answered), (text, answered)


def _is_question(text: str) -> bool:
    """Whether it is all of one, and no more than a nod beside it."""
    questions = [question for language in QUESTIONS.values() for question in language]
    whole = any(plain(question) in plain(text) for question in questions)
    return whole and not any(plain(stop) in plain(text) for stop in STOPS.values())


def who_nods_is_not_answered(world: World) -> None:
    """Who makes a sound of listening while the robot speaks has no turn, unless it stops."""
    if world.circumstances.policy == _STOP or world.typed or ASR in world.network.lost:
        return
    ended = {told.stamp.turn: told.turn_ended.outcome for told in world.wire.of("turn_ended")}
    nods = {plain(nod) for nod in NODS.values()}
    for turn, text in _said_over_a_reply(world):
        if plain(text) in nods:
            outcomes = (pb.TURN_OUTCOME_BACKCHANNEL, pb.TURN_OUTCOME_ABANDONED)
            assert ended[turn] in outcomes, (turn, text, ended[turn])


def _said_over_a_reply(world: World) -> Iterator[tuple[int, str]]:
    """The spoken turns that began while a reply was under way that nothing has stopped since."""
    replying = False
    over = 0
    for _, told in world.wire.said_at:
        match told.WhichOneof("converse_response"):
            case "reply_started":
                replying = True
            case "reply_interrupted":
                replying, over = False, 0
            case "reply_ended":
                replying = False
            case "turn_event":
                event, turn = told.turn_event, told.stamp.turn
                if event.type == asr_pb2.TURN_EVENT_TYPE_START_OF_TURN:
                    over = turn if replying else 0
                elif event.type == asr_pb2.TURN_EVENT_TYPE_END_OF_TURN and turn == over:
                    yield turn, event.transcript.text
