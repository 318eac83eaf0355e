"""What a turn detector decides, as it crosses the wire."""

from __future__ import annotations

from voicemesh.v1 import asr_pb2 as pb
from voicemesh_asr.turn_detection.detector import Action, TurnDecision

_TYPES = {
    Action.START: pb.TURN_EVENT_TYPE_START_OF_TURN,
    Action.EAGER: pb.TURN_EVENT_TYPE_EAGER_END_OF_TURN,
    Action.RESUME: pb.TURN_EVENT_TYPE_TURN_RESUMED,
    Action.END: pb.TURN_EVENT_TYPE_END_OF_TURN,
}


def turn_event(decision: TurnDecision) -> pb.TurnEvent:
    """The event of a decision other than FINISH, without transcript and state."""
    return pb.TurnEvent(
        type=_TYPES[decision.action],
        reason=decision.reason,
        sample=decision.sample,
        last_voiced_sample=decision.last_voiced,
        wait_ms=decision.wait_ms,
        confidence=decision.confidence,
        mark=decision.mark,
    )
