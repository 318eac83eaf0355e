"""The record of a turn that was run on a robot, as its controller saw it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from voicemesh.enums import short_name
from voicemesh.errors import VoiceMeshError, from_detail
from voicemesh.v1 import asr_pb2, dialog_pb2
from voicemesh_robot.mesh.problem import with_stage


@dataclass
class ControlledTurnRecord:
    """One turn. Times are of the controller's clock, in seconds; None: it never came."""

    asked_s: float
    """When the turn was asked for."""
    question: str = ""
    reply_text: str = ""
    end_of_turn_s: float | None = None
    final_pass_ms: float | None = None
    playback_began_s: float | None = None
    playback_ended_s: float | None = None
    ended_s: float | None = None
    end: dialog_pb2.TurnEnded = field(default_factory=dialog_pb2.TurnEnded)
    error: VoiceMeshError | None = None
    """What went wrong."""

    def take(self, news: dialog_pb2.RunTurnResponse, at_s: float) -> None:
        """Note what the orchestrator said at ``at_s``."""
        match news.WhichOneof("run_turn_response"):
            case "turn_event":
                event = news.turn_event
                if event.type == asr_pb2.TURN_EVENT_TYPE_END_OF_TURN:
                    self.question = event.transcript.text
                    self.end_of_turn_s = at_s
                    self.final_pass_ms = event.final_pass_us / 1000
            case "reply_started":
                # What was said before is over: something first, or an answer that was interrupted.
                self.reply_text = ""
                self.playback_began_s = self.playback_ended_s = None
            case "reply_text":
                self.reply_text += news.reply_text.text
            case "playback":
                self.playback_began_s = self.playback_began_s or at_s
                if news.playback.drained:
                    self.playback_ended_s = at_s
            case "error":
                self.error = from_detail(news.error)
            case "turn_ended":
                self.end, self.ended_s = news.turn_ended, at_s
                self.question = self.end.question or self.question
                if self.end.HasField("error"):
                    self.error = from_detail(self.end.error)

    @property
    def answered(self) -> bool:
        """Whether the whole answer was given."""
        return self.end.outcome == dialog_pb2.TURN_OUTCOME_COMPLETED and bool(self.reply_text)

    @property
    def problem(self) -> str:
        """The error as a sentence that begins with its stage; empty where there is none."""
        return "" if self.error is None else with_stage(self.error)

    def timings(self) -> list[tuple[str, float]]:
        """What took how long, in milliseconds, in the order of the turn; only what was reached.

        Playback counts from the end of the question (its last voiced sample, or the
        arrival of the text) and, like ``listening`` and ``total``, is measured here;
        the rest was measured by the orchestrator.
        """
        steps = {step.name: step.at_us / 1000 for step in self.end.timeline}

        def between(first: str, second: str) -> float | None:
            return steps[second] - steps[first] if {first, second} <= steps.keys() else None

        spoken_s = self.asked_s
        if self.end_of_turn_s is not None:
            spoken_s = self.end_of_turn_s - steps.get("endpoint", 0.0) / 1000
        everything = (
            ("listening", _ms(self.asked_s, self.end_of_turn_s)),
            ("endpoint wait", between("last_voiced", "endpoint")),
            ("ASR final", self.final_pass_ms or None),
            ("LLM first token", between("question", "llm_first_token")),
            ("LLM total", between("question", "llm_end")),
            ("TTS first audio", between("first_piece", "tts_first_audio")),
            ("playback start", _ms(spoken_s, self.playback_began_s)),
            ("playback end", _ms(spoken_s, self.playback_ended_s)),
            ("total", _ms(self.asked_s, self.ended_s)),
        )
        return [(name, round(taken, 1)) for name, taken in everything if taken is not None]

    def as_json(self) -> dict[str, Any]:
        """The turn as ``--json`` writes it."""
        entry: dict[str, Any] = {
            "question": self.question,
            "reply_text": self.reply_text,
            "heard_text": self.end.heard_text,
            "outcome": short_name(dialog_pb2.TurnOutcome, self.end.outcome),
            "configured_silence_ms": self.end.configured_silence_ms,
            "timings_ms": {name.lower().replace(" ", "_"): taken for name, taken in self.timings()},
        }
        if self.error is not None:
            entry["error"] = self.problem
        return entry


def _ms(begin_s: float, end_s: float | None) -> float | None:
    return None if end_s is None else (end_s - begin_s) * 1000
