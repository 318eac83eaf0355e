"""scripts/fuzz_mesh: hostile messages beside a conversation that behaves well."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from voicemesh.commands.frame import write_json, write_text
from voicemesh.errors import EngineError, VoiceMeshError
from voicemesh_evaluation.fuzz.victims import Victims, log_faults, logged, victims
from voicemesh_evaluation.report import machine, run, table
from voicemesh_robot.asking.question_session import QuestionSession
from voicemesh_robot.asking.question_turn import Question
from voicemesh_robot.asking.streamed_conversation import StreamingMode
from voicemesh_robot.settings import RobotSettings

BAR_P95 = 1.2
# Who asks again sooner would seem to have been cut off, and be given more time.
_LISTENS_S = 1.5
_BAD = ("INTERNAL", "UNKNOWN")


@dataclass
class Outcome:
    """What came of an attack."""

    seed: int
    messages: int
    by_status: dict[str, int]
    crashes: list[str]
    hangs: list[str]
    quiet_ms: list[float]
    """Response times of the conversation that behaves well, before the attack and after it."""
    loud_ms: list[float]
    """The same during the attack."""
    faults: list[str] = field(default_factory=list)
    """Calls that ended badly, and what the log says."""
    took_s: float = 0.0

    @property
    def p95_ratio(self) -> float:
        """Of the response times, during the attack to quiet ones."""
        return float(np.percentile(self.loud_ms, 95) / np.percentile(self.quiet_ms, 95))

    def as_json(self) -> dict[str, Any]:
        """The figures."""
        return {
            "messages": self.messages,
            "by_status": self.by_status,
            "crashes": len(self.crashes),
            "hangs": len(self.hangs),
            "p95_ratio": round(self.p95_ratio, 3),
        }

    def failures(self) -> list[str]:
        """What may not be, in sentences; the pace of the conversation is not among it."""
        bad = [
            f"{self.by_status[status]} calls ended with {status}"
            for status in _BAD
            if self.by_status.get(status)
        ]
        return [*bad, *self.crashes, *self.hangs, *self.faults]


async def fuzz(
    seed: int,
    messages: int,
    question: Question,
    *,
    turns: int,
    rate: float = 0.0,
    flags: Mapping[str, str] | None = None,
    keep_log: Path | None = None,
) -> Outcome:
    """Attack a mesh of its own.

    ``turns``: of the conversation before the attack, and again after it; ``rate``: messages
    a second, at most, 0: as many as are taken.
    """
    with logged() as log:
        async with victims(flags or {}) as attacked:
            outcome = await _attack(attacked, seed, messages, question, turns, rate)
        outcome.faults += log_faults(log)
        if keep_log is not None:
            log.seek(0)
            write_text(keep_log, log.read())
    return outcome


async def _attack(
    attacked: Victims, seed: int, messages: int, question: Question, turns: int, rate: float
) -> Outcome:
    robot = RobotSettings(target=attacked.mesh.target)
    spoken = question.audio is not None
    mode = StreamingMode(real_time=True, store_reply=True, speaks=spoken)
    loop = asyncio.get_running_loop()
    async with QuestionSession(robot, mode) as session:

        async def ask() -> float:
            record = await session.ask(question)
            if record.response_ms is None:
                raise EngineError(f"a question was not answered: {record.problem}")
            steps = " ".join(f"{name}={at:.0f}" for name, at in record.stages())
            sys.stderr.write(
                f"answered {record.transcript!r} {time.strftime('%H:%M:%S')} {steps}\n"
            )
            if spoken:
                await asyncio.sleep(_LISTENS_S)
            return record.response_ms

        await ask()  # Caches and pools are filled.
        quiet = [await ask() for _ in range(turns)]
        processes, places = attacked.processes(), await attacked.places_left()
        began = loop.time()
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-P", "-m", "voicemesh_evaluation.fuzz.attack"),
            *("--seed", str(seed), "--messages", str(messages), "--rate", str(rate)),
            *("--targets", json.dumps(attacked.targets)),
            stdout=asyncio.subprocess.PIPE,
        )
        attack = loop.create_task(process.communicate(), name="attack")
        loud, hangs = await _meanwhile(attack, ask)
        tally = json.loads((await attack)[0])
        took_s = loop.time() - began
        try:
            hangs += await attacked.settled(places)
            quiet += [await ask() for _ in range(turns)]
        except VoiceMeshError as error:
            hangs.append(f"after the attack: {error}")
        crashes = attacked.crashes(processes)
    return Outcome(
        seed=seed,
        messages=tally["messages"],
        by_status=tally["by_status"],
        crashes=crashes,
        hangs=[*hangs, *(fault for fault in tally["faults"] if "hung" in fault)],
        quiet_ms=quiet,
        loud_ms=loud,
        faults=[fault for fault in tally["faults"] if "hung" not in fault],
        took_s=took_s,
    )


async def _meanwhile(
    attack: asyncio.Task[Any], ask: Callable[[], Any]
) -> tuple[list[float], list[str]]:
    """Go on talking until the attack is over: the response times, and what was not answered."""
    times: list[float] = []
    unanswered: list[str] = []
    while not attack.done() or not times:
        try:
            times.append(await ask())
        except VoiceMeshError as error:
            unanswered.append(f"during the attack: {error}")
            if attack.done():
                break
    return times or [float("inf")], unanswered


def report(outcome: Outcome) -> list[str]:
    """The outcome as lines of Markdown."""
    quiet, loud = (np.percentile(t, [50, 95]) for t in (outcome.quiet_ms, outcome.loud_ms))
    failures = outcome.failures()
    return [
        "# Hostile messages",
        "",
        f"{outcome.messages} hostile messages (seed {outcome.seed}) over every RPC of every",
        f"service and of a robot's listener, in {outcome.took_s:.0f} s: mutated and random "
        "protobufs, the wrong",
        "order, huge fields, bytes that cannot be decoded, streams that are abandoned or",
        "half-closed, a connection for each call. Meanwhile somebody talks with the mesh.",
        "",
        *table(["status", "calls"], list(outcome.by_status.items())),
        "",
        *table(
            ["", "", "bar"],
            [
                ["INTERNAL or UNKNOWN", sum(outcome.by_status.get(s, 0) for s in _BAD), 0],
                ["processes that ended", len(outcome.crashes), 0],
                ["calls or processes that hung", len(outcome.hangs), 0],
                ["response p95, hostile to quiet", f"{outcome.p95_ratio:.2f}", BAR_P95],
            ],
        ),
        "",
        "The response of the well-behaved conversation, from the last voiced sample to the first",
        "reply audio, the silence that the turn detector waits for included:",
        "",
        *table(
            ["", "turns", "p50", "p95", "slowest"],
            [
                [name, len(times), *(f"{ms:.0f} ms" for ms in (*figures, max(times)))]
                for name, times, figures in (
                    ("quiet", outcome.quiet_ms, quiet),
                    ("under attack", outcome.loud_ms, loud),
                )
            ],
        ),
        "",
        *(f"- {failure}" for failure in failures[:50]),
        *([] if failures else ["No traceback is in the logs, and no task was lost."]),
        "",
        machine(),
    ]


async def evaluate(options: argparse.Namespace, failures: list[str]) -> list[str]:
    """The report as lines of Markdown; what may not be is added to ``failures``."""
    flags = dict(setting.split("=", 1) for setting in options.set)
    question = Question(text="hello") if options.typed else Question(audio=options.audio_in)
    outcome = await fuzz(
        options.seed,
        options.messages,
        question,
        turns=options.turns,
        rate=options.rate,
        flags=flags,
        keep_log=options.log,
    )
    failures += outcome.failures()
    if outcome.p95_ratio > BAR_P95:
        failures.append("the conversation was slowed down")
    if options.json is not None:
        write_json(options.json, outcome.as_json())
    return report(outcome)


def main() -> int:
    """The command of scripts/fuzz_mesh."""
    parser = argparse.ArgumentParser(
        prog="fuzz_mesh", description="Whether a mesh takes hostile messages calmly."
    )
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--messages", type=int, default=10_000)
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures")
    parser.add_argument("--log", type=Path, metavar="FILE", help="keep what the mesh logged")
    parser.add_argument("--audio-in", type=Path, help='"hello", spoken')
    parser.add_argument("--typed", action="store_true", help="type it instead")
    parser.add_argument("--turns", type=int, default=20, help="asked before and after")
    parser.add_argument("--rate", type=float, default=50.0, help="messages a second, at most")
    parser.add_argument(
        "--set", action="append", default=[], metavar="NAME=VALUE", help="a setting of the mesh"
    )
    failures: list[str] = []
    return run(parser, lambda options: evaluate(options, failures)) or int(bool(failures))


if __name__ == "__main__":
    raise SystemExit(main())
