"""Whether meshes start: ports that somebody else draws meanwhile, and two meshes at a time."""

from __future__ import annotations

import argparse
import asyncio
import multiprocessing
import random
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from multiprocessing.synchronize import Event

from voicemesh.errors import VoiceMeshError
from voicemesh.supervisor import Mesh
from voicemesh.supervisor.plan import make_plan
from voicemesh.supervisor.ports import HeldPort, hold_free
from voicemesh_evaluation.report import machine, run

_HOST = "127.0.0.1"
_PORTS_OF_A_MESH = 8
_AT_ONCE = 2


def _draw_and_release(over: Event) -> None:
    """What another start does, over and over: as many ports as a mesh, held for a moment."""
    while not over.is_set():
        for port in hold_free([_HOST] * _PORTS_OF_A_MESH):
            port.close()


@contextmanager
def _rival() -> Iterator[None]:
    """Meanwhile a second process draws ports and releases them."""
    spawn = multiprocessing.get_context("spawn")
    over = spawn.Event()
    process = spawn.Process(target=_draw_and_release, args=(over,), daemon=True)
    process.start()
    try:
        yield
    finally:
        over.set()
        process.join()


def _collides(seed: int) -> bool:
    """Whether a plan has a port twice, or one that somebody else can have at the same time."""
    random.seed(seed)
    plan = make_plan([], None, {}, ephemeral=True)
    try:
        ports = [
            port
            for service in plan.services
            for port in (service.port, service.metrics_port)
            if port > 0
        ]
        with ExitStack() as taken:
            for port in ports:
                try:
                    taken.callback(HeldPort(_HOST, port, drawn=True).close)
                except VoiceMeshError:
                    continue
                return True
        return len(set(ports)) < len(ports)
    finally:
        plan.close()


def collisions(starts: int) -> int:
    """How many of so many plans collide while a rival draws ports."""
    with _rival():
        return sum(_collides(seed) for seed in range(starts))


async def _start_and_stop() -> str:
    """What went wrong; empty where nothing did."""
    try:
        async with Mesh(
            ephemeral=True, flags={"mesh.log_level": "error"}, report=lambda event: None
        ) as mesh:
            if any(child.restarts for child in mesh.services.values()):
                return "a service had to be started again"
    except VoiceMeshError as error:
        return str(error)
    return ""


async def meshes(count: int) -> list[str]:
    """The failures of so many meshes, two of them at a time."""
    waiting = iter(range(count))
    failures: list[str] = []

    async def some() -> None:
        for _ in waiting:
            failure = await _start_and_stop()
            if failure:
                failures.append(failure)

    await asyncio.gather(*(some() for _ in range(_AT_ONCE)))
    return failures


async def evaluate(options: argparse.Namespace, failures: list[str]) -> list[str]:
    """The report as lines of Markdown; what has failed is added to ``failures``."""
    began = time.monotonic()
    collided = await asyncio.to_thread(collisions, options.starts)
    planned_s = time.monotonic() - began
    began = time.monotonic()
    failed = await meshes(options.meshes)
    failures += [f"{collided} collisions"] if collided else []
    failures += failed
    return [
        "# Starting meshes",
        "",
        f"- {options.starts} starts by `make_plan` with held ports, while a second process draws "
        f"and releases {_PORTS_OF_A_MESH} ports at a time: {collided} collisions "
        f"({planned_s:.0f} s).",
        f"- {options.meshes} ephemeral meshes of all services started and stopped, {_AT_ONCE} at a "
        f"time: {len(failed)} failures ({time.monotonic() - began:.0f} s).",
        *(f"  - {failure}" for failure in sorted(set(failed))),
        "",
        machine(),
    ]


def main() -> int:
    """The command of scripts/evaluate_starts; exit status 1 where anything has failed."""
    parser = argparse.ArgumentParser(
        prog="evaluate_starts", description="Starts meshes beside others that draw ports."
    )
    parser.add_argument("--starts", type=int, default=10_000, metavar="N", help="by make_plan")
    parser.add_argument("--meshes", type=int, default=100, metavar="N", help="whole ones")
    failures: list[str] = []
    return run(parser, lambda options: evaluate(options, failures)) or int(bool(failures))


if __name__ == "__main__":
    raise SystemExit(main())
