"""Whether a mesh that talks and talks holds more and more: memory, descriptors, tasks."""

from __future__ import annotations

import argparse
import asyncio
import json
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from voicemesh.errors import EngineError
from voicemesh.supervisor import Mesh
from voicemesh_evaluation.process_tree import (
    ProcessResources,
    event_loop_tasks,
    read_resources,
    tree,
)
from voicemesh_evaluation.report import machine, run, table
from voicemesh_robot.asking.question_session import QuestionSession
from voicemesh_robot.asking.question_turn import Question
from voicemesh_robot.asking.streamed_conversation import StreamingMode
from voicemesh_robot.mesh.connection import ConversationOptions
from voicemesh_robot.mesh.conversation import Conversation
from voicemesh_robot.settings import RobotSettings

BAR_KB_PER_STEP = 1.0
WARM_UP = 100
"""Steps that caches and pools may take to fill."""
EVERY = 10
"""Steps between two samples."""
SETTLE_S = 2.5
"""What is closing is gone by then, and the tasks have been counted again."""

SHORT_ANSWER = """
[[entry]]
id = "hello"
en = { question = "hello", answers = ["Hi."] }
"""
"""Half a second of reply: many turns in little time."""

Step = Callable[[], Awaitable[None]]


@dataclass
class Series:
    """What one process held, step by step."""

    warm_up: int
    steps: list[int] = field(default_factory=list)
    held: list[ProcessResources] = field(default_factory=list)

    def slope_kb(self) -> float:
        """The growth of its memory after the warm-up, in kB a step: a line through the samples."""
        late = [
            (s, h.rss_kb) for s, h in zip(self.steps, self.held, strict=True) if s >= self.warm_up
        ]
        if len(late) < 2:
            return 0.0
        steps, sizes = zip(*late, strict=True)
        return float(np.polyfit(steps, sizes, 1)[0])

    @property
    def warm(self) -> ProcessResources:
        """What it held after the warm-up."""
        return next(h for s, h in zip(self.steps, self.held, strict=True) if s >= self.warm_up)


@dataclass
class Pattern:
    """The same step many times over, and what every process held meanwhile."""

    name: str
    steps: int
    processes: dict[str, Series] = field(default_factory=dict)
    idle: dict[str, tuple[ProcessResources, ProcessResources]] = field(default_factory=dict)
    """What every process held before the first step and after the last, nothing under way."""
    tasks: dict[str, tuple[int, int]] = field(default_factory=dict)
    """The event loop's tasks at the same moments."""

    def failures(self) -> list[str]:
        """What is above the bar, in sentences."""
        found = []
        for name, series in self.processes.items():
            if (slope := series.slope_kb()) > BAR_KB_PER_STEP:
                found.append(f"{self.name}: {name} grows by {slope:.2f} kB a step")
        for name, (before, after) in self.idle.items():
            # Warm pools may have been filled by then, but only once.
            if after.descriptors > before.descriptors:
                found.append(
                    f"{self.name}: {name} holds {after.descriptors} descriptors, "
                    f"{before.descriptors} before"
                )
            if after.threads > before.threads:
                found.append(
                    f"{self.name}: {name} has {after.threads} threads, {before.threads} before"
                )
        for name, (tasks_before, tasks_after) in self.tasks.items():
            if tasks_after > tasks_before:
                found.append(f"{self.name}: {name} has {tasks_after} tasks, {tasks_before} before")
        return found


class Watch:
    """Samples the processes of a mesh."""

    def __init__(self, mesh: Mesh) -> None:
        """``mesh`` runs."""
        self._children = mesh.services
        self._processes = tree({name: child.pid for name, child in mesh.services.items()})

    def sample(self) -> dict[str, ProcessResources]:
        """What every process holds now."""
        return {name: read_resources(pid) for name, pid in self._processes.items()}

    async def tasks(self) -> dict[str, int]:
        """The tasks of every service."""
        return {
            name: await asyncio.to_thread(event_loop_tasks, child.planned.metrics)
            for name, child in self._children.items()
        }

    async def repeat(self, name: str, steps: int, step: Step) -> Pattern:
        """Do ``step`` many times. The first ones, the warm-up, fill pools and caches."""
        pattern = Pattern(name, steps)
        idle, tasks = self.sample(), await self.tasks()
        warm_up = min(WARM_UP, steps // 2)
        for number in range(1, steps + 1):
            await step()
            if number == warm_up:
                await asyncio.sleep(SETTLE_S)
                idle, tasks = self.sample(), await self.tasks()
            if number % EVERY == 0:
                for process, held in self.sample().items():
                    series = pattern.processes.setdefault(process, Series(warm_up))
                    series.steps.append(number)
                    series.held.append(held)
        await asyncio.sleep(SETTLE_S)
        after, tasks_after = self.sample(), await self.tasks()
        pattern.idle = {process: (idle[process], after[process]) for process in after}
        pattern.tasks = {service: (tasks[service], tasks_after[service]) for service in tasks}
        return pattern


async def soak(
    turns: int, connections: int, question: Question, flags: dict[str, str]
) -> list[Pattern]:
    """Turns in one conversation, then conversations that only begin and end."""
    with TemporaryDirectory() as folder:
        knowledge = Path(folder) / "short.toml"
        knowledge.write_text(SHORT_ANSWER)
        settings = {
            "mesh.log_level": "warning",
            "llm.scripted.knowledge_files": f'["{knowledge}"]',
            **flags,
        }
        async with Mesh(ephemeral=True, flags=settings, report=lambda line: None) as mesh:
            watch = Watch(mesh)
            robot = RobotSettings(target=mesh.target)
            mode = StreamingMode(
                real_time=False, store_reply=True, speaks=question.audio is not None
            )
            async with QuestionSession(robot, mode) as session:

                async def turn() -> None:
                    record = await session.ask(question)
                    if not record.spoken_answer:
                        raise EngineError(f"a turn was not answered: {record.problem}")

                talked = await watch.repeat("turns", turns, turn)

            async def connect() -> None:
                conversation = await Conversation.open(ConversationOptions(mesh.target))
                await conversation.close()

            return [talked, await watch.repeat("connections", connections, connect)]


def above_bar(patterns: Sequence[Pattern]) -> list[str]:
    """What grows more than it may, in sentences."""
    return [failure for pattern in patterns for failure in pattern.failures()]


def report(patterns: Sequence[Pattern]) -> list[str]:
    """What was held, as lines of Markdown."""
    lines = [
        "# Soak",
        "",
        f"Growth of memory after the first {WARM_UP} steps, as a line through a sample every "
        f"{EVERY}",
        f"steps; the bar is {BAR_KB_PER_STEP:g} kB a step. Descriptors, threads and tasks after "
        "the warm-up",
        "and at the end, both times with nothing under way; the bar is no growth.",
    ]
    for pattern in patterns:
        rows = []
        for name, series in pattern.processes.items():
            before, after = pattern.idle[name]
            tasks = pattern.tasks.get(name)
            rows.append(
                [
                    name,
                    f"{series.warm.rss_kb / 1024:.1f}",
                    f"{series.held[-1].rss_kb / 1024:.1f}",
                    f"{series.slope_kb():+.2f}",
                    f"{before.descriptors} → {after.descriptors}",
                    f"{before.threads} → {after.threads}",
                    f"{tasks[0]} → {tasks[1]}" if tasks else "",
                ]
            )
        lines += [
            "",
            f"## {pattern.steps} {pattern.name}",
            "",
            *table(
                [
                    *("process", "RSS warm, MB", "RSS end, MB", "slope, kB a step"),
                    *("descriptors", "threads", "tasks"),
                ],
                rows,
            ),
        ]
    failures = [f"- above the bar: {failure}" for failure in above_bar(patterns)]
    return [*lines, "", *(failures or ["Nothing is above the bar."]), "", machine()]


async def evaluate(options: argparse.Namespace, failures: list[str]) -> list[str]:
    """The report as lines of Markdown; what is above the bar is added to ``failures``."""
    question = Question(text="hello") if options.typed else Question(audio=options.audio_in)
    flags = dict(setting.split("=", 1) for setting in options.set)
    patterns = await soak(options.turns, options.connections, question, flags)
    failures += above_bar(patterns)
    if options.json is not None:
        options.json.write_text(json.dumps([asdict(pattern) for pattern in patterns], indent=1))
    return report(patterns)


def main() -> int:
    """The command of scripts/soak."""
    parser = argparse.ArgumentParser(
        prog="soak", description="Whether a mesh that talks for long holds more and more."
    )
    parser.add_argument("--audio-in", type=Path, help='"hello", spoken')
    parser.add_argument("--typed", action="store_true", help="type it instead")
    parser.add_argument("--turns", type=int, default=500, help="in one conversation")
    parser.add_argument("--connections", type=int, default=500, help="each of them closed again")
    parser.add_argument(
        "--set", action="append", default=[], metavar="NAME=VALUE", help="a setting of the mesh"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every sample")
    failures: list[str] = []
    return run(parser, lambda options: evaluate(options, failures)) or int(bool(failures))


if __name__ == "__main__":
    raise SystemExit(main())
