"""What a conversation is doing, in a word; and how the floor moves."""

from __future__ import annotations

from enum import Enum

from voicemesh.v1 import dialog_pb2 as pb


class Phase(Enum):
    """What a conversation is doing; the value is the word that operators see."""

    IDLE = "idle"
    """Nobody speaks, is expected to, or is answered."""
    LISTEN = "listening"
    """The user speaks, or is expected to."""
    THINK = "thinking"
    """A reply is under way, and nothing of it has been sent to be heard."""
    SPEAK = "speaking"
    """A reply is being played."""


class FloorMove(Enum):
    """The transitions of the floor, by the names of arXiv 2405.19487."""

    START_SPEAK = (pb.FLOOR_STATE_SPEAK, pb.FLOOR_TRANSITION_START_SPEAK)
    """S.SPEAK: the robot takes the floor."""
    CONTINUE_SPEAK = (pb.FLOOR_STATE_SPEAK, pb.FLOOR_TRANSITION_CONTINUE_SPEAK)
    """C.SPEAK: it keeps the floor although somebody made a sound."""
    START_LISTEN = (pb.FLOOR_STATE_LISTEN, pb.FLOOR_TRANSITION_START_LISTEN)
    """S.LISTEN: it gives the floor back."""
    CONTINUE_LISTEN = (pb.FLOOR_STATE_LISTEN, pb.FLOOR_TRANSITION_CONTINUE_LISTEN)
    """C.LISTEN: the user has paused and goes on."""

    def change(self, reason: str) -> pb.FloorChange:
        """The move as clients are told; ``reason``: why, in a word."""
        state, transition = self.value
        return pb.FloorChange(state=state, transition=transition, reason=reason)
