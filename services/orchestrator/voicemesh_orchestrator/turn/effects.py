"""What the turn machine decides: effects that the conversation carries out, in order."""

from __future__ import annotations

from dataclasses import dataclass

from voicemesh.errors import VoiceMeshError
from voicemesh.v1 import dialog_pb2 as pb
from voicemesh.v1.common_pb2 import Stamp
from voicemesh_orchestrator.turn.phase import FloorMove
from voicemesh_orchestrator.turn.verdict import Verdict


@dataclass(frozen=True)
class Speculate:
    """Begin to answer ``question`` under ``stamp``, unheard: the turn may not be over."""

    stamp: Stamp
    question: str


@dataclass(frozen=True)
class Discard:
    """What was begun unheard under ``stamp`` is of no use."""

    stamp: Stamp
    reason: str


@dataclass(frozen=True)
class Commit:
    """What was begun unheard under ``stamp`` is the answer to ``question``."""

    stamp: Stamp
    question: str


@dataclass(frozen=True)
class StartReply:
    """Answer ``question`` under ``stamp``."""

    stamp: Stamp
    question: str


@dataclass(frozen=True)
class Speak:
    """Say ``text`` under ``stamp``; nobody has asked."""

    stamp: Stamp
    text: str


@dataclass(frozen=True)
class HoldReply:
    """Somebody may be interrupting: pause the reply of ``stamp``, or make it quieter."""

    stamp: Stamp
    duck: bool


@dataclass(frozen=True)
class ResumeReply:
    """It was no interruption: the reply of ``stamp`` goes on where it was held."""

    stamp: Stamp
    reason: str


@dataclass(frozen=True)
class StopReply:
    """Stop the reply of ``stamp``: whatever of it is under way is void."""

    stamp: Stamp
    reason: str


@dataclass(frozen=True)
class Apologise:
    """Say that something went wrong; the turn of ``stamp`` ends with ``error``."""

    stamp: Stamp
    error: VoiceMeshError


@dataclass(frozen=True)
class EndTurn:
    """The turn of ``stamp`` is over."""

    stamp: Stamp
    outcome: pb.TurnOutcome.ValueType


@dataclass(frozen=True)
class MoveFloor:
    """The floor has moved."""

    move: FloorMove
    reason: str = ""


@dataclass(frozen=True)
class OverlapDecided:
    """It is clear what was meant by what the user says, or has said, over a reply."""

    verdict: Verdict


Effect = (
    Speculate
    | Discard
    | Commit
    | StartReply
    | Speak
    | HoldReply
    | ResumeReply
    | StopReply
    | Apologise
    | EndTurn
    | MoveFloor
    | OverlapDecided
)
