"""How long a mesh takes to answer a question that is asked in real time."""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from voicemesh.errors import EngineError
from voicemesh_evaluation.report import machine, quiet_mesh, run, table
from voicemesh_robot.asking.question_record import QuestionRecord
from voicemesh_robot.asking.question_session import QuestionSession
from voicemesh_robot.asking.question_turn import Question
from voicemesh_robot.asking.streamed_conversation import StreamingMode
from voicemesh_robot.settings import RobotSettings

BAR_P50_MS = 60
BAR_P95_MS = 150
# Who asks again sooner would seem to have been cut off, and be given more time.
_LISTENS_S = 1.5


async def evaluate(options: argparse.Namespace) -> list[str]:
    """The report as lines of Markdown."""
    question = Question(audio=options.audio_in)
    mode = StreamingMode(real_time=True, store_reply=True)
    async with (
        quiet_mesh() as mesh,
        QuestionSession(RobotSettings(target=mesh.target), mode) as session,
    ):
        records: list[QuestionRecord] = []
        for _ in range(options.turns):
            records.append(await session.ask(question))
            await asyncio.sleep(_LISTENS_S)
    good = [record for record in records if record.spoken_answer]
    if not good:
        raise EngineError(f"no turn was answered; the last one said: {records[-1].problem}")
    return _report(good, len(records), options.audio_in.name)


def _report(good: Sequence[QuestionRecord], asked: int, name: str) -> list[str]:
    beyond = [
        record.response_ms - record.configured_silence_ms
        for record in good
        if record.response_ms is not None
    ]
    p50, p95 = np.percentile(beyond, [50, 95])
    names = list(dict.fromkeys(name for record in good for name, _ in record.stages()))
    medians = {
        name: float(np.median([at for r in good for stage, at in r.stages() if stage == name]))
        for name in names
    }
    return [
        "# Response time",
        "",
        f"`{name}` asked {asked} times in real time in one conversation; {len(good)} turns were",
        "answered. The response is the time from the last voiced sample, judged on the file's",
        "energy, to the first reply audio at the client, less the silence that the turn detector",
        "was told to wait for.",
        "",
        *table(
            ["", "p50", "p95", "slowest"],
            [
                ["response − silence", f"{p50:.0f} ms", f"{p95:.0f} ms", f"{max(beyond):.0f} ms"],
                ["bar", f"{BAR_P50_MS} ms", f"{BAR_P95_MS} ms", ""],
            ],
        ),
        "",
        "Median of every stage, in milliseconds after the last voiced sample:",
        "",
        *table(
            ["stage", "ms"],
            [[n, f"{at:.0f}"] for n, at in sorted(medians.items(), key=lambda item: item[1])],
        ),
        "",
        machine(),
    ]


def main() -> int:
    """The command of scripts/evaluate_latency."""
    parser = argparse.ArgumentParser(
        prog="evaluate_latency", description="How long a mesh takes to answer."
    )
    parser.add_argument("--audio-in", type=Path, required=True, help="the spoken question")
    parser.add_argument("--turns", type=int, default=20, help="how often it is asked")
    return run(parser, evaluate)


if __name__ == "__main__":
    raise SystemExit(main())
