"""What people see when a service is killed or stopped in the middle of their turn."""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import signal
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from voicemesh.supervisor import Mesh
from voicemesh.v1 import asr_pb2, dialog_pb2
from voicemesh_evaluation.report import machine, run, table
from voicemesh_robot.asking.question_record import QuestionRecord
from voicemesh_robot.asking.question_session import QuestionSession
from voicemesh_robot.asking.question_turn import Question
from voicemesh_robot.asking.streamed_conversation import StreamingMode
from voicemesh_robot.mesh.events import Event
from voicemesh_robot.settings import RobotSettings

SERVICES = ("asr", "llm", "tts", "orchestrator")
FAULTS = {"kill": signal.SIGKILL, "stop": signal.SIGSTOP}
STALL_S = {"asr": 6.25, "llm": 6.25, "tts": 6.25, "orchestrator": 10.0}
"""When a stopped service is known to be stuck, at the latest: `deadlines.stall_s` and a
quarter of it; of the orchestrator, its client's 8 s and a quarter."""
TURN_BAR_S = 3.0
"""From when the fault is known to the end of its turn."""
NEXT_BAR_S = 10.0
"""From when the fault is known to the end of the next turn that is answered."""
GIVE_UP_S = 60.0
_MODEL = {
    "llm.engine": "simulated",
    "llm.simulated.tokens_per_second": "12",
    "llm.simulated.replies": '["I am well. The moon is far away. It has no air at all."]',
}
"""A reply that takes the model a second, and little more to listen to."""
_NAMES = {"kill": "kill -9", "stop": "SIGSTOP"}
_LATEST_S = 0.4
"""The fault comes up to so long after the moment at which its service is at work."""


@dataclass(frozen=True)
class Trial:
    """One fault and what came of it. Seconds count from when the fault was known."""

    service: str
    fault: str
    outcome: str
    turn_s: float
    next_s: float
    """Until a question was answered again; infinite where none was."""

    @property
    def good(self) -> bool:
        """Whether both bars hold."""
        return self.turn_s <= TURN_BAR_S and self.next_s <= NEXT_BAR_S


def _at_work(service: str, event: Event) -> bool:
    """Whether ``service`` is at work on the turn from this event on."""
    match event.payload:
        case asr_pb2.TurnEvent(type=asr_pb2.TURN_EVENT_TYPE_START_OF_TURN):
            return service == "asr"
        case dialog_pb2.ReplyStarted():
            return service == "llm"
        case dialog_pb2.ReplyAudio():
            return service in ("tts", "orchestrator")
    return False


class Fault:
    """Comes once, shortly after the service has begun to work on the turn."""

    def __init__(self, mesh: Mesh, service: str, fault: str, after_s: float) -> None:
        """Nothing happens before ``observe`` sees the turn."""
        self._child = mesh.services[service]
        self._service = service
        self._signal = FAULTS[fault]
        self._after_s = after_s
        self._timer: asyncio.TimerHandle | None = None
        self.came_s: float | None = None

    def observe(self, event: Event) -> None:
        """See QuestionSession."""
        if self._timer is None and _at_work(self._service, event):
            self._timer = asyncio.get_running_loop().call_later(self._after_s, self.come)

    def come(self) -> None:
        """Now."""
        if self.came_s is None:
            self.came_s = time.monotonic()
            os.kill(self._child.pid, self._signal)


async def _ask(settings: RobotSettings, question: Question, fault: Fault | None) -> QuestionRecord:
    observe: Callable[[Event], None] = (lambda event: None) if fault is None else fault.observe
    mode = StreamingMode(real_time=True)
    async with QuestionSession(settings, mode, observe) as session:
        return await session.ask(question)


async def try_one(mesh: Mesh, question: Question, service: str, name: str, after_s: float) -> Trial:
    """A turn in which the fault comes, and turns until one is answered again."""
    settings = RobotSettings(target=mesh.target, turn_timeout_s=30)
    fault = Fault(mesh, service, name, after_s)
    restarts = mesh.services[service].restarts + 1
    record = await _ask(settings, question, fault)
    ended_s = time.monotonic()
    fault.come()  # A turn that was over before is a fault between turns.
    came_s = fault.came_s or ended_s
    known_s = came_s + (STALL_S[service] if name == "stop" else 0.0)
    outcome = dialog_pb2.TurnOutcome.Name(record.outcome).removeprefix("TURN_OUTCOME_").lower()
    next_s = float("inf")
    while time.monotonic() < known_s + GIVE_UP_S:
        again = await _ask(settings, question, None)
        if again.answered:
            # What counts is when the answer was there; it may be long to listen to.
            next_s = (again.first_audio_s or time.monotonic()) - known_s
            break
        await asyncio.sleep(0.2)
    async with asyncio.timeout(GIVE_UP_S):
        await mesh.services[service].wait_serving(restarts)
    return Trial(service, name, outcome, max(0.0, ended_s - known_s), max(0.0, next_s))


def report(trials: Sequence[Trial]) -> list[str]:
    """The report as lines of Markdown."""
    rows = []
    for service in SERVICES:
        for name in FAULTS:
            tried = [t for t in trials if (t.service, t.fault) == (service, name)]
            if not tried:
                continue
            turn, after = [t.turn_s for t in tried], [t.next_s for t in tried]
            rows.append(
                [
                    *(service, _NAMES[name], len(tried)),
                    f"{np.median(turn):.1f} / {max(turn):.1f}",
                    f"{np.median(after):.1f} / {max(after):.1f}",
                    f"{sum(t.good for t in tried)} of {len(tried)}",
                    ", ".join(sorted({t.outcome for t in tried})),
                ]
            )
    return [
        "# Services that are killed or stopped in the middle of a turn",
        "",
        f"A spoken question in real time; the fault comes up to {_LATEST_S:g} s after its service "
        "has begun to work on the turn. Seconds (median / longest) from when the fault is known: "
        "at once where a process is killed, after the stall timeout where it is stopped.",
        "",
        *table(
            [
                *("service", "fault", "times"),
                f"to the turn's end (bar {TURN_BAR_S:g} s)",
                f"to the next answer's first audio (bar {NEXT_BAR_S:g} s)",
                *("within both bars", "the turn ended"),
            ],
            rows,
        ),
        "",
        machine(),
    ]


async def evaluate(options: argparse.Namespace, failures: list[Trial]) -> list[str]:
    """Every fault of every service on one mesh; trials that miss a bar go to ``failures``."""
    drawn = random.Random(options.seed)
    question = Question(audio=options.audio_in)
    trials: list[Trial] = []
    flags = {"mesh.log_level": "error", **_MODEL}
    async with Mesh(ephemeral=True, flags=flags, report=lambda event: None) as mesh:
        for number in range(options.times):
            for service in options.service or SERVICES:
                for name in FAULTS:
                    after_s = drawn.uniform(0, _LATEST_S)
                    trials.append(await try_one(mesh, question, service, name, after_s))
                    sys.stderr.write(f"{number + 1} of {options.times}: {trials[-1]}\n")
    failures += [trial for trial in trials if not trial.good]
    return report(trials)


def main() -> int:
    """The command of scripts/evaluate_chaos; exit status 1 where a bar does not hold."""
    parser = argparse.ArgumentParser(
        prog="evaluate_chaos", description="Kills and stops services in the middle of turns."
    )
    parser.add_argument("--audio-in", type=Path, required=True, help="a question, spoken")
    parser.add_argument("--times", type=int, default=25, metavar="N", help="of each fault")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--service", choices=SERVICES, action="append", metavar="NAME")
    failures: list[Trial] = []
    return run(parser, lambda options: evaluate(options, failures)) or int(bool(failures))


if __name__ == "__main__":
    raise SystemExit(main())
