"""What the mesh says in a conversation, as the client sees it."""

from __future__ import annotations

from dataclasses import dataclass

from voicemesh.v1 import asr_pb2, common_pb2, dialog_pb2, robot_pb2

Payload = (
    asr_pb2.TurnEvent
    | dialog_pb2.ReplyStarted
    | dialog_pb2.ReplyText
    | dialog_pb2.ReplyAudio
    | dialog_pb2.ReplyEnded
    | dialog_pb2.ReplyInterrupted
    | dialog_pb2.ReplyPaused
    | dialog_pb2.ReplyDucked
    | dialog_pb2.ReplyResumed
    | dialog_pb2.FallAsleep
    | dialog_pb2.TurnEnded
    | dialog_pb2.FloorChange
    | robot_pb2.RobotCommand
    | common_pb2.ErrorDetail
    | common_pb2.DrainNotice
)


@dataclass(frozen=True)
class Event:
    """A response of the mesh in a conversation, with its stamp and arrival."""

    stamp: common_pb2.Stamp
    arrived_s: float
    """When it arrived, on the conversation's clock, in seconds."""
    payload: Payload
