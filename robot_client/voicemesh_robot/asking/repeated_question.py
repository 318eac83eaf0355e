"""One question asked several times: printed, written as WAV files, reported as JSON."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

from voicemesh.commands.frame import write_json
from voicemesh_robot.asking.console import Console
from voicemesh_robot.asking.question_record import QuestionRecord
from voicemesh_robot.asking.question_session import QuestionSession
from voicemesh_robot.asking.question_turn import Question


@dataclass
class TurnsReport:
    """The report of all turns: their records and what ``--json`` writes."""

    entries: list[dict[str, Any]] = field(default_factory=list)
    records: list[QuestionRecord] = field(default_factory=list)
    complete: bool = True
    """Whether every turn brought what was asked for."""
    chips: list[dict[str, Any]] = field(default_factory=list)
    """The chips that the mesh's engines run on."""
    mesh_bytes: int | None = None
    """What the mesh's processes held before the first turn, as PSS; None: not known."""

    def write(self, path: Path) -> None:
        """Write ``{"turns": [...]}`` with the medians over them, and what is known of the mesh.

        Times are in milliseconds and go from the question's last voiced sample to the first
        reply audio: ``voice_to_voice_ms`` whole, ``over_silence_ms`` without the silence that
        was configured. ``mesh_pss_mb`` is in megabytes of 10^6 bytes.
        """
        figures: dict[str, Any] = {
            "over_silence_ms": _median(record.over_silence_ms for record in self.records),
            "voice_to_voice_ms": _median(record.response_ms for record in self.records),
        }
        if self.mesh_bytes is not None:
            figures["mesh_pss_mb"] = round(self.mesh_bytes / 1e6, 1)
        if self.chips:
            figures["chips"] = self.chips
        write_json(path, {"turns": self.entries, **figures})


def _median(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return round(median(known), 1) if known else None


def numbered(path: Path, turn: int) -> Path:
    """The file of a turn, counted from 1: ``a.wav``, ``a-2.wav``, ``a-3.wav``."""
    return path if turn == 1 else path.with_stem(f"{path.stem}-{turn}")


async def ask_repeatedly(
    session: QuestionSession,
    question: Question,
    turns: int,
    console: Console,
    output_file: Path | None,
    want_audio: bool,
) -> TurnsReport:
    """Ask ``question`` ``turns`` times in one session; a failed turn does not end it."""
    report = TurnsReport()
    for turn in range(1, turns + 1):
        if turns > 1:
            console.line(f"\nTurn {turn} of {turns}")
        record = await session.ask(question)
        console.summary(record)
        wav: Path | None = None
        if output_file is not None and record.reply.sample_count:
            wav = numbered(output_file, turn)
            await asyncio.to_thread(record.reply.write, wav)
            console.line(f"The answer's audio ({record.reply.seconds:.1f} s) is in {wav}.")
        good = record.spoken_answer if want_audio else record.answered
        report.complete = report.complete and good
        report.records.append(record)
        report.entries.append(record.as_json(str(wav) if wav else None))
    return report
