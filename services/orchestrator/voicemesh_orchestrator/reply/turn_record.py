"""What is kept of a turn until it ends, and what its end tells the metrics and traces."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from voicemesh import tracing
from voicemesh.enums import short_name
from voicemesh.errors import VoiceMeshError
from voicemesh.v1 import common_pb2, dialog_pb2
from voicemesh_orchestrator import metrics
from voicemesh_orchestrator.reply.paced_sender import PacedSender
from voicemesh_orchestrator.reply.reply import Reply
from voicemesh_orchestrator.reply.timeline import Timeline

# A turn that is heard, one that is answered, and those whose end is being told.
_LIVE_TURNS = 8


@dataclass
class TurnRecord:
    """A turn under way."""

    timeline: Timeline = field(default_factory=Timeline)
    started_ns: int = field(default_factory=time.time_ns)
    question: str = ""
    wait_ms: int = 0
    reply: Reply | None = None
    sender: PacedSender | None = None
    """What sends the audio of the reply, or of an apology where there is no reply."""
    error: VoiceMeshError | None = None

    def commit(self, reply: Reply) -> None:
        """``reply`` is the answer of this turn, and goes on under its timeline."""
        reply.commit(self.timeline)
        self.reply = reply
        self.sender = None if reply.speech is None else reply.speech.sender

    def user_fell_silent(self, last_voiced_s: float, final_text_s: float, now_s: float) -> None:
        """The spoken turn is over; times are of the monotonic clock, in seconds."""
        self.timeline.origin_s = last_voiced_s
        self.timeline.reach("last_voiced", last_voiced_s)
        self.timeline.reach("asr_final", final_text_s)
        self.timeline.reach("endpoint", now_s)

    def heard_text(self, completed: bool) -> str:
        """What of the reply counts as heard."""
        if self.reply is None:
            return ""
        return self.reply.text.strip() if completed else self.reply.heard_text()

    def ended(self, outcome: dialog_pb2.TurnOutcome.ValueType, heard: str) -> dialog_pb2.TurnEnded:
        """The end of the turn as the client is told."""
        return dialog_pb2.TurnEnded(
            outcome=outcome,
            question=self.question,
            heard_text=heard,
            timeline=self.timeline.stages(),
            configured_silence_ms=self.wait_ms,
            error=self.error.detail() if self.error else None,
        )

    def measure(
        self,
        conversation_id: str,
        stamp: common_pb2.Stamp,
        outcome: dialog_pb2.TurnOutcome.ValueType,
    ) -> None:
        """Tell the metrics and the trace how the turn went."""
        name = short_name(dialog_pb2.TurnOutcome, outcome)
        metrics.TURNS.labels(name).inc()
        timeline = self.timeline
        asked = bool(self.question)  # What the robot says by itself answers nobody.
        for histogram, seconds in (
            (metrics.ENDPOINT_WAIT, timeline.between("last_voiced", "endpoint")),
            (metrics.LLM_FIRST_TOKEN, timeline.between("question", "llm_first_token")),
            (metrics.FIRST_PIECE, timeline.between("question", "first_piece")),
            (metrics.TTS_FIRST_AUDIO, timeline.between("first_piece", "tts_first_audio")),
            (metrics.RESPONSE, timeline.since_origin("first_audio_sent") if asked else None),
        ):
            if seconds is not None:
                histogram.observe(seconds)
        tracing.turn_span(conversation_id, stamp, self.started_ns, time.time_ns(), outcome=name)


class TurnRecords:
    """The turns under way, by their numbers."""

    def __init__(self) -> None:
        """There are none yet."""
        self._turns: dict[int, TurnRecord] = {}

    def of(self, stamp: common_pb2.Stamp) -> TurnRecord:
        """The record of a turn; a new one for one that is not known."""
        if stamp.turn not in self._turns:
            self._turns[stamp.turn] = TurnRecord()
            while len(self._turns) > _LIVE_TURNS:
                del self._turns[min(self._turns)]
        return self._turns[stamp.turn]

    def take(self, stamp: common_pb2.Stamp) -> TurnRecord:
        """The same, when the turn is over: it is kept no longer."""
        return self._turns.pop(stamp.turn, None) or TurnRecord()


def count_error(error: VoiceMeshError) -> None:
    """Count a failed stage."""
    stage = short_name(common_pb2.Stage, error.stage)
    code = short_name(common_pb2.ErrorCode, error.code)
    metrics.STAGE_ERRORS.labels(stage, code).inc()
