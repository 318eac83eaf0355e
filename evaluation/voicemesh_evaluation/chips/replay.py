"""Runs a mesh with the stage times of published chips and reports what it makes of them."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from voicemesh.errors import EngineError
from voicemesh.supervisor import Mesh
from voicemesh_evaluation.chips.profiles import Profile
from voicemesh_evaluation.report import machine, table
from voicemesh_robot.asking.question_session import QuestionSession
from voicemesh_robot.asking.question_turn import Question
from voicemesh_robot.asking.streamed_conversation import StreamingMode
from voicemesh_robot.settings import RobotSettings

BAR_MS = 60


@dataclass(frozen=True)
class Replayed:
    """What came of one profile."""

    profile: Profile
    responses_ms: Sequence[float]

    @property
    def ideal_ms(self) -> float:
        """The critical path to the first reply audio."""
        return self.profile.critical_path()[-1][1]

    @property
    def measured_ms(self) -> float:
        """The median response."""
        return float(np.median(self.responses_ms))

    @property
    def within_bar(self) -> bool:
        """Whether the mesh adds no more than the bar."""
        return self.measured_ms <= self.ideal_ms + BAR_MS

    def as_json(self) -> dict[str, Any]:
        """One entry of the report."""
        return {
            "box": self.profile.box,
            "chip": self.profile.chip,
            "models": self.profile.models,
            "critical_path_ms": {step: round(at) for step, at in self.profile.critical_path()},
            "measured_ms": round(self.measured_ms, 1),
            "slowest_ms": round(max(self.responses_ms), 1),
            "published_ms": round(self.profile.published_s * 1000),
            "within_bar": self.within_bar,
        }


async def replay(
    profiles: Sequence[Profile], question: Path, turns: int, progress: Callable[[str], None]
) -> list[Replayed]:
    """Ask a mesh of each profile's times the spoken ``question``, ``turns`` times in real time."""
    return [await _replay(profile, question, turns, progress) for profile in profiles]


async def _replay(
    profile: Profile, audio: Path, turns: int, progress: Callable[[str], None]
) -> Replayed:
    progress(f"{profile.name} ...")
    mesh = Mesh(ephemeral=True, flags=profile.settings(), report=lambda line: None)
    mode = StreamingMode(real_time=True, store_reply=True)
    async with mesh, QuestionSession(RobotSettings(target=mesh.target), mode) as session:
        records = [await session.ask(Question(audio=audio)) for _ in range(turns)]
    responses = [r.response_ms for r in records if r.spoken_answer and r.response_ms is not None]
    if not responses:
        raise EngineError(f"{profile.name}: no turn was answered: {records[-1].problem}")
    return Replayed(profile, responses)


def report(replayed: Sequence[Replayed]) -> list[str]:
    """Markdown."""
    lines = [
        "# Published chips, replayed",
        "",
        "The stage times that are published for two Sophgo boxes, played by the `simulated`",
        "engines of a mesh on this machine. The critical path is what follows from these times",
        "alone: the final pass begins with the eager end of turn, the model begins on its text,",
        "and the rest overlaps as in the mesh. Measured is the response of the running mesh, from",
        "the last voiced sample at the client to its first reply audio; the median of",
        f"{len(replayed[0].responses_ms)} questions. The bar is the critical path + {BAR_MS} ms.",
        "",
        "Published is what the vendor's demo takes as a whole. It is defined otherwise: its clock",
        "starts when a recorded question is *sent* and stops when the player takes its first",
        "buffer, so it holds no wait for the end of speech (ours does), but its own buffering.",
        "",
        *table(
            ["box", "models", "critical path", "measured", "slowest", "bar", "published"],
            [
                [
                    r.profile.box,
                    r.profile.models,
                    f"{r.ideal_ms:.0f} ms",
                    f"{r.measured_ms:.0f} ms",
                    f"{max(r.responses_ms):.0f} ms",
                    "met" if r.within_bar else "missed",
                    f"{r.profile.published_s:g} s",
                ]
                for r in replayed
            ],
        ),
    ]
    for r in replayed:
        lines += ["", f"## {r.profile.name}", "", f"{r.profile.chip}: {r.profile.what}.", ""]
        lines += table(
            ["step", "ms after the last voiced sample"],
            [[step, f"{at:.0f}"] for step, at in r.profile.critical_path()],
        )
        lines += [""]
        lines += table(
            ["figure", "value", "source"],
            [
                [name, f"{f.value:g}{' (estimate)' if f.estimate else ''}", f.source]
                for name, f in r.profile.figures().items()
            ],
        )
    return [*lines, "", machine()]


def as_json(replayed: Sequence[Replayed]) -> str:
    """The report as JSON."""
    return json.dumps({"bar_ms": BAR_MS, "profiles": [r.as_json() for r in replayed]}, indent=2)
