"""The turns of a conversation as its responses tell them, recorded or live."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from voicemesh.enums import short_name
from voicemesh.v1 import asr_pb2, common_pb2, dialog_pb2

ABANDONED = "abandoned"
"""The outcome that no client sees: it was gone."""


@dataclass
class TurnOutline:
    """What counts of one turn. Samples are of the microphone's clock; None: it never came."""

    number: int
    begin_sample: int | None = None
    """Where the detector noticed speech."""
    end_sample: int | None = None
    """Where it decided that the turn was over."""
    transcript: str = ""
    """What was understood of the speech."""
    question: str = ""
    """What was answered: speech and typing together."""
    reply_text: str = ""
    reply_samples: int = 0
    """Samples of the reply that were sent."""
    outcome: str = ""
    """How it ended; empty while it has not."""
    heard_text: str = ""
    """What of the reply counts as heard."""
    error: str = ""
    timeline: dict[str, float] = field(default_factory=dict)
    """The orchestrator's steps, in milliseconds after the last voiced sample."""

    def as_json(self) -> dict[str, Any]:
        """Everything, as ``--json`` writes it."""
        return {**vars(self), "timeline": dict(self.timeline)}


class TurnLog:
    """Collects the turns of one conversation."""

    def __init__(self) -> None:
        """Nothing has been said yet."""
        self.turns: dict[int, TurnOutline] = {}
        """By the turn's number."""

    def take(self, stamp: common_pb2.Stamp, payload: object) -> None:
        """Note what a response says, given its stamp and what its oneof holds."""
        match payload:
            case asr_pb2.TurnEvent(type=asr_pb2.TURN_EVENT_TYPE_START_OF_TURN):
                self._turn(stamp).begin_sample = payload.sample
            case asr_pb2.TurnEvent(type=asr_pb2.TURN_EVENT_TYPE_END_OF_TURN):
                turn = self._turn(stamp)
                turn.end_sample = payload.sample
                turn.transcript = payload.transcript.text
            case dialog_pb2.ReplyStarted(question=question):
                self._turn(stamp).question = question
            case dialog_pb2.ReplyText(text=text):
                self._turn(stamp).reply_text += text
            case dialog_pb2.ReplyAudio(chunk=chunk):
                self._turn(stamp).reply_samples += len(chunk.audio) // 2
            case dialog_pb2.TurnEnded():
                self._end(self._turn(stamp), payload)

    def _turn(self, stamp: common_pb2.Stamp) -> TurnOutline:
        return self.turns.setdefault(stamp.turn, TurnOutline(stamp.turn))

    def _end(self, turn: TurnOutline, ended: dialog_pb2.TurnEnded) -> None:
        turn.outcome = short_name(dialog_pb2.TurnOutcome, ended.outcome)
        turn.heard_text = ended.heard_text
        turn.error = ended.error.message
        turn.timeline = {step.name: step.at_us / 1000 for step in ended.timeline}
