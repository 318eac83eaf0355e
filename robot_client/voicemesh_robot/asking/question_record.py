"""The record of a question's turn as the client saw it: texts, times, outcome."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from voicemesh.enums import short_name
from voicemesh.errors import VoiceMeshError, from_detail
from voicemesh.v1 import asr_pb2, common_pb2, dialog_pb2
from voicemesh_robot.asking.reply_collector import ReplyCollector
from voicemesh_robot.mesh.events import Event
from voicemesh_robot.mesh.problem import with_stage


@dataclass
class QuestionRecord:
    """One turn. Times are of the client's clock, in seconds; None: it never came."""

    reply: ReplyCollector
    """The reply's audio."""
    typed: str = ""
    """What was typed."""
    spoken_s: float | None = None
    """When the question was over: its last voiced sample, or the text's sending."""
    transcript: str = ""
    """What the mesh understood of the speech, or what was typed."""
    end_of_turn_s: float | None = None
    """When the end of the turn arrived."""
    end_of_turn_sample: int | None = None
    """Where the detector decided on it, on the microphone's clock."""
    configured_silence_ms: int = 0
    """The silence that the detector waited for, in milliseconds."""
    reply_text: str = ""
    first_text_s: float | None = None
    first_audio_s: float | None = None
    outcome: dialog_pb2.TurnOutcome.ValueType = dialog_pb2.TURN_OUTCOME_UNSPECIFIED
    timeline: list[tuple[str, float]] = field(default_factory=list)
    """The orchestrator's steps, in milliseconds after the last voiced sample it judged."""
    error: VoiceMeshError | None = None
    """What went wrong."""
    begun: bool = False
    """Whether the mesh has noticed the question."""

    def take(self, event: Event) -> None:
        """Note what the mesh said."""
        match event.payload:
            case asr_pb2.TurnEvent() as turn:
                self._take_turn_event(turn, event.arrived_s)
            case dialog_pb2.ReplyStarted(question=question):
                self.begun = True
                self.transcript = self.transcript or question
            case dialog_pb2.ReplyText(text=text):
                self.first_text_s = self.first_text_s or event.arrived_s
                self.reply_text += text
            case dialog_pb2.ReplyAudio(chunk=chunk):
                self.first_audio_s = self.first_audio_s or event.arrived_s
                self.reply.add(chunk)
            case dialog_pb2.TurnEnded() as ended:
                self._take_end(ended)
            case common_pb2.ErrorDetail() as detail:
                self.error = from_detail(detail)

    def _take_turn_event(self, turn: asr_pb2.TurnEvent, at_s: float) -> None:
        self.begun = True
        if turn.type == asr_pb2.TURN_EVENT_TYPE_END_OF_TURN:
            self.end_of_turn_s = at_s
            self.end_of_turn_sample = turn.sample
            self.transcript = turn.transcript.text
            self.configured_silence_ms = turn.wait_ms

    def _take_end(self, ended: dialog_pb2.TurnEnded) -> None:
        self.outcome = ended.outcome
        self.configured_silence_ms = ended.configured_silence_ms or self.configured_silence_ms
        self.timeline = [(step.name, step.at_us / 1000) for step in ended.timeline]
        if ended.HasField("error"):
            self.error = from_detail(ended.error)
        elif ended.outcome == dialog_pb2.TURN_OUTCOME_COMPLETED:
            self.error = None  # What went wrong on the way was mended.

    @property
    def ended(self) -> bool:
        """Whether the mesh has said that the turn is over."""
        return self.outcome != dialog_pb2.TURN_OUTCOME_UNSPECIFIED

    @property
    def answered(self) -> bool:
        """Whether a whole reply came, with its text."""
        return self.outcome == dialog_pb2.TURN_OUTCOME_COMPLETED and bool(self.reply_text)

    @property
    def spoken_answer(self) -> bool:
        """Whether a whole reply came, with text and audio."""
        return self.answered and self.reply.sample_count > 0

    @property
    def problem(self) -> str:
        """The error as a sentence that begins with its stage; empty where there is none."""
        return "" if self.error is None else with_stage(self.error)

    @property
    def response_ms(self) -> float | None:
        """From the last voiced sample to the first reply audio at the client."""
        return _ms(self.spoken_s, self.first_audio_s)

    @property
    def over_silence_ms(self) -> float | None:
        """The response without the silence that was to be waited for at the end of the turn."""
        response_ms = self.response_ms
        return None if response_ms is None else response_ms - self.configured_silence_ms

    @property
    def after_endpoint_ms(self) -> float | None:
        """From the end of the turn, as it arrived, to the first reply audio."""
        return _ms(self.end_of_turn_s, self.first_audio_s)

    def stages(self) -> list[tuple[str, float]]:
        """All steps in the order of time, in milliseconds after the last voiced sample.

        The orchestrator's own steps count from the sample that the mesh took for
        the last voiced one. Steps whose name begins with ``client`` count from
        the one judged on the file, as they arrived here.
        """
        client = (
            ("client_end_of_turn", _ms(self.spoken_s, self.end_of_turn_s)),
            ("client_first_text", _ms(self.spoken_s, self.first_text_s)),
            ("client_first_audio", self.response_ms),
        )
        steps = [*self.timeline, *((name, at) for name, at in client if at is not None)]
        return sorted(steps, key=lambda step: step[1])

    def _outcome_name(self) -> str:
        if not self.ended and self.error is not None:
            return "lost"  # The conversation ended before the turn did.
        return short_name(dialog_pb2.TurnOutcome, self.outcome)

    def as_json(self, reply_wav: str | None) -> dict[str, Any]:
        """The turn as ``--json`` writes it."""
        entry: dict[str, Any] = {
            "transcript": self.transcript,
            "reply_text": self.reply_text,
            "reply_wav": reply_wav,
            "reply_seconds": round(self.reply.seconds, 3),
            "response_ms": _rounded(self.response_ms),
            "configured_silence_ms": self.configured_silence_ms,
            "over_silence_ms": _rounded(self.over_silence_ms),
            "voice_to_voice_ms": _rounded(self.response_ms),
            "after_endpoint_ms": _rounded(self.after_endpoint_ms),
            "outcome": self._outcome_name(),
            "stages": {name: _rounded(at) for name, at in self.stages()},
        }
        if self.error is not None:
            entry["error"] = self.problem
        return entry


def _ms(begin_s: float | None, end_s: float | None) -> float | None:
    return None if begin_s is None or end_s is None else (end_s - begin_s) * 1000


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 1)
