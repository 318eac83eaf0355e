"""All figures of turn-taking, as JSON and against their bars."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from voicemesh_evaluation.report import percentiles
from voicemesh_evaluation.turns.barge_in import BargeIn
from voicemesh_evaluation.turns.endpointing import Endpointing
from voicemesh_evaluation.turns.late_work import LateWork
from voicemesh_evaluation.turns.scene import Scene
from voicemesh_evaluation.turns.trade_off import FIXED_MS, Point

BAR_MEDIAN_COMPLETE_MS = 350
BAR_MEAN_MS = 450
BAR_BARGE_IN_P95_MS = 200
BAR_TAKEN = 0.98
BAR_IGNORED = 0.95
BAR_AFTER_CANCEL = 1
BAR_SELF_PER_100 = 1.0
BAR_ECHO_TAKEN = {"-12": 0.95, "-6": 0.85, "0": 0.60}
BAR_AFTER_SILENCE_MS = {"p50": 60, "p95": 150}
BAR_VOICE_TO_VOICE_P50_MS = 380

ENDS, MANDARIN, LIVE, ECHO = "ends of turns", "Mandarin", "interruptions and responses", "echo"
EARLY = "discarded answers"
"""The parts of the measurement."""
_PARTS = {
    "barge_in_stop_ms": LIVE,
    "true_interruptions_taken": LIVE,
    "backchannels_ignored": LIVE,
    "self_interruptions_per_100": ECHO,
    "echo_interruptions_taken": ECHO,
    "after_silence_ms": LIVE,
    "voice_to_voice_ms": LIVE,
}


@dataclass
class Figures:
    """What was measured; what was not is None or empty."""

    adaptive: Endpointing | None = None
    fixed: Endpointing | None = None
    mandarin: Sequence[Endpointing] = ()
    """The adaptive detector and the fixed one."""
    points: list[Point] = field(default_factory=list)
    barge_in: BargeIn | None = None
    late_work: LateWork | None = None
    """Of all conversations with the mesh."""
    scenes: Sequence[Scene] = ()
    """Complete questions."""
    echo_replies: int = 0
    """Simulated replies without an interruption, and as many with one at each level."""
    self_interruptions_per_100: float | None = None
    echo_interruptions_taken: Mapping[str, float] = field(default_factory=dict)
    echo_noticed_ms: Mapping[str, Sequence[float]] = field(default_factory=dict)
    """How long until the robot noticed interruptions, by the echo's level."""
    missing: dict[str, str] = field(default_factory=dict)
    """The parts that were not measured, and why."""

    @property
    def voice_to_voice_ms(self) -> list[float]:
        """The responses to questions that were heard as one turn."""
        return [ms for scene in self.scenes if (ms := _response(scene)) is not None]

    @property
    def after_silence_ms(self) -> list[float]:
        """The same less the silence that the turn detector waited for."""
        return [
            ms - scene.configured_silence_ms
            for scene in self.scenes
            if (ms := _response(scene)) is not None
        ]

    def entries(self) -> dict[str, Any]:
        """The figures as ``--json`` writes them, and why some are null."""
        barge_in = self.barge_in or BargeIn(())
        adaptive, fixed = self.adaptive, self.fixed
        taken = self.echo_interruptions_taken
        entries: dict[str, Any] = {
            "mean_wait_ms": adaptive and _number(adaptive.mean_wait_ms),
            "median_complete_wait_ms": adaptive and _number(adaptive.median_complete_wait_ms),
            "fixed_mean_wait_ms": fixed and _number(fixed.mean_wait_ms),
            "false_cutoff_rate": adaptive and _number(adaptive.false_cutoff_rate, 4),
            "fixed_false_cutoff_rate": fixed and _number(fixed.false_cutoff_rate, 4),
            "barge_in_stop_ms": percentiles(barge_in.stops_ms),
            "true_interruptions_taken": barge_in.taken,
            "backchannels_ignored": barge_in.ignored("backchannel", "noise"),
            "self_interruptions_per_100": self.self_interruptions_per_100,
            "echo_interruptions_taken": {level: taken.get(level) for level in BAR_ECHO_TAKEN},
            "after_silence_ms": percentiles(self.after_silence_ms),
            "voice_to_voice_ms": percentiles(self.voice_to_voice_ms),
        }
        reasons = {
            name: self.missing.get(_PARTS.get(name, ENDS), "nothing came of it")
            for name, value in entries.items()
            if value is None or (isinstance(value, dict) and None in value.values())
        }
        return {**entries, "not_measured": reasons} if reasons else entries

    def as_json(self) -> str:
        """The report as JSON."""
        return json.dumps(self.entries(), indent=2)

    def bars(self) -> list[tuple[str, float | None, str, bool | None]]:
        """Name, measured value, bar in words, and whether it is met; None: not measured."""
        e = self.entries()
        fixed = e["fixed_false_cutoff_rate"]
        rows: list[tuple[str, float | None, str, bool | None]] = [
            _most("mean wait, ms", e["mean_wait_ms"], BAR_MEAN_MS),
            _most(
                "median wait on complete ends, ms",
                e["median_complete_wait_ms"],
                BAR_MEDIAN_COMPLETE_MS,
            ),
            _most(
                f"false cut-offs (bar: the fixed {FIXED_MS} ms detector's)",
                e["false_cutoff_rate"],
                math.inf if fixed is None else fixed,
            ),
            _most("barge-in to silence p95, ms", e["barge_in_stop_ms"]["p95"], BAR_BARGE_IN_P95_MS),
            _least("real interruptions taken", e["true_interruptions_taken"], BAR_TAKEN),
            _least("backchannels and noises ignored", e["backchannels_ignored"], BAR_IGNORED),
            *self._after_cancel(),
            _most(
                "self-interruptions in 100 replies",
                e["self_interruptions_per_100"],
                BAR_SELF_PER_100,
            ),
        ]
        for level, least in BAR_ECHO_TAKEN.items():
            taken = e["echo_interruptions_taken"][level]
            rows.append(_least(f"interruptions taken, echo {level} dB", taken, least))
        for name, most in BAR_AFTER_SILENCE_MS.items():
            rows.append(_most(f"response − silence {name}, ms", e["after_silence_ms"][name], most))
        response = e["voice_to_voice_ms"]["p50"]
        rows.append(_most("voice to voice p50, ms", response, BAR_VOICE_TO_VOICE_P50_MS))
        return rows

    def _after_cancel(self) -> list[tuple[str, float | None, str, bool | None]]:
        late = self.late_work
        return [
            _most(
                f"most {things} made of a reply after its cancel",
                cancelled.most if cancelled and cancelled.replies else None,
                BAR_AFTER_CANCEL,
            )
            for things, cancelled in (
                ("tokens", late and late.tokens),
                ("chunks", late and late.chunks),
            )
        ]


def _response(scene: Scene) -> float | None:
    return scene.voice_to_voice_ms if scene.heard_as_one else None


def _number(value: float, digits: int = 1) -> float | None:
    return None if math.isnan(value) else round(value, digits)


def _most(name: str, value: float | None, bar: float) -> tuple[str, float | None, str, bool | None]:
    words = f"≤ {bar:g}" if math.isfinite(bar) else "not measured"
    return name, value, words, None if value is None else value <= bar


def _least(
    name: str, value: float | None, bar: float
) -> tuple[str, float | None, str, bool | None]:
    return name, value, f"≥ {bar:g}", None if value is None else value >= bar
