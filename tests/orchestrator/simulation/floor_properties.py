"""What must be true of the floor: who has it, and what is done about who wants it."""

from __future__ import annotations

from voicemesh.stamps import Order, order
from voicemesh.v1 import asr_pb2
from voicemesh.v1 import dialog_pb2 as pb

from .world import World

_SPEAK, _LISTEN = pb.FLOOR_STATE_SPEAK, pb.FLOOR_STATE_LISTEN
_MOVES = {
    pb.FLOOR_TRANSITION_START_SPEAK: (_LISTEN, _SPEAK),
    pb.FLOOR_TRANSITION_CONTINUE_SPEAK: (_SPEAK, _SPEAK),
    pb.FLOOR_TRANSITION_START_LISTEN: (_SPEAK, _LISTEN),
    pb.FLOOR_TRANSITION_CONTINUE_LISTEN: (_LISTEN, _LISTEN),
}
# What a reply that is under way is when somebody begins to speak.
_GIVES_WAY = {
    "INTERRUPTION_POLICY_STOP": frozenset({"stopped"}),
    "INTERRUPTION_POLICY_PAUSE_THEN_DECIDE": frozenset({"reply_paused"}),
    # Of what nobody has heard yet nothing can be made quieter.
    "INTERRUPTION_POLICY_DUCK": frozenset({"reply_paused", "reply_ducked"}),
    "INTERRUPTION_POLICY_IGNORE": frozenset({""}),
}


def the_floor_moves_in_order(world: World) -> None:
    """Each move begins where the one before it ended; the robot speaks only where it has it."""
    state = _LISTEN
    for _, told in world.wire.said_at:
        match told.WhichOneof("converse_response"):
            case "floor":
                before, after = _MOVES[told.floor.transition]
                assert (before, after) == (state, told.floor.state), told
                state = after
            case "reply_audio":
                assert state == _SPEAK, told.stamp
    if world.leaving == "at rest":
        assert state == _LISTEN


def who_begins_to_speak_is_not_talked_over(world: World) -> None:
    """When recognition has heard somebody, the reply has given way as its policy says."""
    replying: Order | None = None
    manner = ""
    for _, told in world.wire.said_at:
        kind = told.WhichOneof("converse_response")
        match kind:
            case "reply_started":
                replying, manner = order(told.stamp), ""
            case "reply_paused" | "reply_ducked" if order(told.stamp) == replying:
                manner = kind
            case "reply_resumed" if order(told.stamp) == replying:
                manner = ""
            case "turn_ended" if order(told.stamp) == replying:
                replying = None
            case "turn_event" if _begins(told) and replying is not None:
                assert manner in _GIVES_WAY[world.circumstances.policy], (told, manner)


def _begins(told: pb.ConverseResponse) -> bool:
    return told.turn_event.type == asr_pb2.TURN_EVENT_TYPE_START_OF_TURN
