"""What the client of a recorded conversation did, and after which news from the mesh."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from voicemesh.recording import Note, Recording
from voicemesh.v1 import dialog_pb2
from voicemesh_evaluation.replay.turns import ABANDONED, TurnLog, TurnOutline

_REPLAYED = frozenset(
    {"audio", "silence", "end_of_utterance", "text", "playback", "interrupt", "local_speech"}
)
"""Heartbeats and answers to commands belong to the connection that was recorded."""


@dataclass(frozen=True)
class Milestone:
    """News after which the recorded client went on."""

    kind: str
    """``reply_started`` or ``turn_ended``."""
    turn: int
    played_out: bool = False
    """Of a turn's end: the client had played the whole reply by then."""


@dataclass(frozen=True)
class Step:
    """Something that the client did."""

    at_ms: float
    """When, in milliseconds since the conversation began."""
    request: dialog_pb2.ConverseRequest
    kind: str
    """What the request is, as its oneof says."""
    after: int
    """How many of the script's milestones were reached before."""

    @property
    def is_sound(self) -> bool:
        """Whether it is the microphone, which goes on whatever happens."""
        return self.kind in ("audio", "silence")


class ReplayScript:
    """A recording as something to be done again."""

    def __init__(self, recording: Recording) -> None:
        """Read the events once; blocks. Their audio is read again step by step."""
        self._recording = recording
        self.about = recording.about
        self.milestones: list[Milestone] = []
        """In the order in which they were reached."""
        self.notes: list[str] = []
        """The recorder's own words."""
        self.samples = 0
        """The length of the microphone's recording, in samples."""
        log = TurnLog()
        for recorded in recording.events():
            match recorded.message:
                case Note(text):
                    self.notes.append(text)
                case dialog_pb2.ConverseResponse() as response:
                    kind = response.WhichOneof("converse_response")
                    if kind is not None:
                        log.take(response.stamp, getattr(response, kind))
                    milestone = _milestone(response)
                    if milestone is not None:
                        self.milestones.append(milestone)
                case dialog_pb2.ConverseRequest() as request:
                    self.samples += len(request.audio.audio) // 2 + request.silence.sample_count
        self.turns = log.turns
        """What came of it, by the turn's number."""

    @property
    def complete(self) -> bool:
        """Whether the recording goes to the conversation's end."""
        return self._recording.complete

    @property
    def ended(self) -> list[TurnOutline]:
        """The turns whose end the client was told: what a replay can be compared with."""
        return [turn for turn in self.turns.values() if turn.outcome not in ("", ABANDONED)]

    def steps(self) -> Iterator[Step]:
        """What the client did, in its order; reads from the disk."""
        reached = 0
        for recorded in self._recording.events():
            match recorded.message:
                case dialog_pb2.ConverseResponse() as response:
                    reached += _milestone(response) is not None
                case dialog_pb2.ConverseRequest() as request:
                    kind = request.WhichOneof("converse_request")
                    if kind in _REPLAYED:
                        yield Step(recorded.at_ms, request, kind, reached)


def _milestone(response: dialog_pb2.ConverseResponse) -> Milestone | None:
    match response.WhichOneof("converse_response"):
        case "reply_started":
            return Milestone("reply_started", response.stamp.turn)
        case "turn_ended" if response.turn_ended.outcome != dialog_pb2.TURN_OUTCOME_ABANDONED:
            interrupted = response.turn_ended.outcome == dialog_pb2.TURN_OUTCOME_INTERRUPTED
            return Milestone("turn_ended", response.stamp.turn, not interrupted)
    return None
