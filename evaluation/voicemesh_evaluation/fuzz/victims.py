"""What is attacked: a mesh of real processes and a robot's listener, and what they log."""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO

from voicemesh.errors import DeadlineExceeded, Unavailable
from voicemesh.grpc_client import open_channel
from voicemesh.supervisor import Mesh
from voicemesh.supervisor.health import serving
from voicemesh.supervisor.ports import free_ports_on
from voicemesh.v1 import operations_pb2
from voicemesh.v1.operations_pb2_grpc import OperationsServiceStub
from voicemesh_evaluation.process_tree import tree

_STARTS_S = 60.0
_SETTLES_S = 15.0
_POLL_S = 0.25
_LOG_FAULTS = ("Traceback (most recent call last)", "was never retrieved", "never awaited")

_SHORT_ANSWERS = """
[[entry]]
id = "hello"
en = { question = "hello", answers = ["Hi."] }
"""

_SETTINGS = {
    "mesh.log_level": "info",
    # Somebody's streams are to be refused for what they are, not for want of a place.
    "llm.max_concurrent_streams": "16",
    "tts.max_concurrent_streams": "16",
}


@contextmanager
def logged() -> Iterator[IO[str]]:
    """Meanwhile what this process and its children log goes into the file that is given."""
    sys.stderr.flush()
    kept = os.dup(2)
    with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as file:
        os.dup2(file.fileno(), 2)
        try:
            yield file
        finally:
            os.dup2(kept, 2)
            os.close(kept)


def log_faults(file: IO[str]) -> list[str]:
    """Lines that tell of mistakes of ours, each with how often it came."""
    file.seek(0)
    counts: dict[str, int] = {}
    lines = file.read().splitlines()
    for number, line in enumerate(lines):
        if any(fault in line for fault in _LOG_FAULTS):
            # A traceback is known by what it was logged under.
            kind = lines[number - 1][13:] if line.startswith("Traceback") and number else line[13:]
            counts[kind] = counts.get(kind, 0) + 1
    return [f"{times} times in the log: {kind}" for kind, times in counts.items()]


@dataclass
class Victims:
    """Everything that runs."""

    mesh: Mesh
    robot: asyncio.subprocess.Process
    robot_target: str

    @property
    def targets(self) -> dict[str, str]:
        """Where each process answers, by name."""
        services = {name: child.planned.target for name, child in self.mesh.services.items()}
        return {**services, "robot": self.robot_target}

    def processes(self) -> dict[str, int]:
        """All process ids, those of the engines' children too."""
        roots = {name: child.pid for name, child in self.mesh.services.items()}
        return tree({**roots, "robot": self.robot.pid})

    def crashes(self, before: Mapping[str, int]) -> list[str]:
        """Which of the processes ``before`` are gone."""
        now = set(self.processes().values())
        gone = [f"{name} has ended" for name, pid in before.items() if pid not in now]
        return gone or [
            f"{name} was started again {child.restarts} times"
            for name, child in self.mesh.services.items()
            if child.restarts
        ]

    async def places_left(self) -> dict[str, int]:
        """How many places are taken in each process; Unavailable where one does not answer."""
        taken = {}
        for name, target in self.targets.items():
            async with open_channel(target) as channel:
                try:
                    described = await OperationsServiceStub(channel).Describe(
                        operations_pb2.DescribeRequest(), timeout=5
                    )
                except Exception as error:
                    raise Unavailable(f"{name} does not answer: {error}") from error
            taken[name] = described.slots.used
        return taken

    async def settled(self, before: Mapping[str, int]) -> list[str]:
        """Which processes hold places for calls that are long over."""
        deadline = asyncio.get_running_loop().time() + _SETTLES_S
        while True:
            taken = await self.places_left()
            held = [
                f"{name} holds {taken[name] - before[name]} places for nobody"
                for name in taken
                if taken[name] > before[name]
            ]
            if not held or asyncio.get_running_loop().time() > deadline:
                return held
            await asyncio.sleep(_POLL_S)


@asynccontextmanager
async def victims(flags: Mapping[str, str]) -> AsyncIterator[Victims]:
    """Start them all; stop them in the end."""
    with TemporaryDirectory() as folder:
        knowledge = Path(folder) / "short.toml"
        knowledge.write_text(_SHORT_ANSWERS)
        settings = {
            **_SETTINGS,
            "llm.scripted.knowledge_files": f'["{knowledge}"]',
            **flags,
        }
        (port,) = free_ports_on(["127.0.0.1"])
        target = f"127.0.0.1:{port}"
        robot = await asyncio.create_subprocess_exec(
            *(sys.executable, "-P", "-m", "voicemesh", "listen-service", "--port", str(port)),
            *("--set", "robot.microphone=none", "--set", "robot.speaker=none"),
            *("--set", "robot.metrics_port=-1", "--set", "mesh.log_level=info"),
            stdin=asyncio.subprocess.DEVNULL,
        )
        try:
            async with Mesh(ephemeral=True, flags=settings, report=lambda line: None) as mesh:
                try:
                    async with asyncio.timeout(_STARTS_S):
                        await serving(target)
                except TimeoutError:
                    raise DeadlineExceeded("the robot's listener does not start") from None
                yield Victims(mesh, robot, target)
        finally:
            if robot.returncode is None:
                robot.terminate()
                await robot.wait()
