"""``voicemesh bench``: how many conversations a mesh holds, and what it adds to each.

``voicemesh bench NAME`` is a benchmark of a room's own, which the room announces as a
Command under the entry-point group ``voicemesh.benchmarks``.
"""

from __future__ import annotations

import argparse
import asyncio
import math
import os
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import grpc.aio
import uvloop

from voicemesh.commands.frame import Command, check_writable, write_json
from voicemesh.errors import EngineMissing, InvalidArgument, SettingsError, Unavailable
from voicemesh.grpc_client import open_channel
from voicemesh.registry import installed
from voicemesh.settings import Settings
from voicemesh.supervisor import Mesh
from voicemesh.v1 import common_pb2 as pb
from voicemesh.v1 import operations_pb2
from voicemesh.v1.operations_pb2_grpc import OperationsServiceStub
from voicemesh_evaluation.bench.workload import Workload, load_script
from voicemesh_evaluation.command_line import at_least_one, service_address, write_line

_NEEDED = {"aiohttp": "aiohttp", "psutil": "psutil", "webrtcvad": "webrtcvad-wheels"}
_EAGER = "orchestrator.eager.enabled"
_QUIET = {"mesh.log_level": "warning"}
_DESCRIBE_S = 5.0


def _seconds(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not 0 <= number < math.inf:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds from 0 on")
    return number


def _percent(text: str) -> int:
    if not text.isdecimal() or not 0 < int(text) <= 100:
        raise argparse.ArgumentTypeError(f"{text!r} is not a percentage from 1 to 100")
    return int(text)


def _words(text: str) -> str:
    if not text.strip():
        raise argparse.ArgumentTypeError("a reply needs words")
    return text


def _cores(text: str) -> tuple[int, int]:
    servers, _, client = text.partition(",")
    if not (servers.isdecimal() and client.isdecimal()):
        raise argparse.ArgumentTypeError(
            f"{text!r} are not two core numbers, such as 0,1: servers, then client"
        )
    chosen = int(servers), int(client)
    usable = os.sched_getaffinity(0)
    for core in chosen:
        if core not in usable:
            names = ", ".join(str(core) for core in sorted(usable))
            raise argparse.ArgumentTypeError(f"core {core} is not among those usable here: {names}")
    return chosen


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """See CommandModule."""
    _add_benchmarks_of_rooms(parser)
    defaults = Workload()
    parser.add_argument(
        "--engines",
        choices=("simulated", "embedded"),
        default="simulated",
        help="scripted waits (what the mesh adds is seen alone), or this machine's own engines",
    )
    parser.add_argument(
        "--target",
        type=service_address,
        metavar="HOST:PORT",
        help="the orchestrator of a running mesh; default: a mesh is started",
    )
    parser.add_argument("--conversations", type=at_least_one, default=1, metavar="N")
    parser.add_argument("--turns", type=at_least_one, default=3, metavar="M")
    parser.add_argument(
        "--pattern",
        choices=("mixed", "turns", "barge-in"),
        default=defaults.pattern,
        help="speak over every second reply, over none, or over each (default: %(default)s)",
    )
    parser.add_argument(
        "--no-eager",
        action="store_true",
        help="begin no answer before the end of the turn (with --target: the mesh there does not)",
    )
    parser.add_argument(
        "--beside",
        type=_percent,
        default=0,
        metavar="PERCENT",
        help="have another process take so much of the servers' core; wants --cores",
    )
    parser.add_argument(
        "--spread",
        type=_seconds,
        default=defaults.spread_s,
        metavar="SECONDS",
        help="conversations begin within so many seconds (default: %(default)s)",
    )
    parser.add_argument(
        "--reply",
        type=_words,
        default=defaults.reply,
        metavar="TEXT",
        help="what the simulated model says",
    )
    parser.add_argument(
        "--cores",
        type=_cores,
        metavar="SERVERS,CLIENT",
        help="pin all servers to one core and the client to another",
    )
    parser.add_argument("--no-floor", action="store_true", help="leave the floor out")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the report here")


def _add_benchmarks_of_rooms(parser: argparse.ArgumentParser) -> None:
    parser.set_defaults(benchmark=None)
    kinds = parser.add_subparsers(
        metavar="NAME", help="a benchmark of one room alone; without it a mesh is measured"
    )
    announced: dict[str, Command] = installed("voicemesh.benchmarks")
    for command in announced.values():
        module = command.load()
        # Its options alone: what measures a mesh means nothing to it.
        own = kinds.add_parser(command.name, help=command.summary, description=command.summary)
        module.add_arguments(own)
        own.set_defaults(benchmark=module.run)


def _check_installed() -> None:
    missing = [package for module, package in _NEEDED.items() if find_spec(module) is None]
    if missing:
        raise EngineMissing(
            f"the benchmark needs {', '.join(missing)}; pip install 'voicemesh-evaluation[bench]'"
        )


async def _check_target(target: str) -> None:
    """That an orchestrator is there, before anything is measured."""
    async with open_channel(target) as channel:
        try:
            described = await OperationsServiceStub(channel).Describe(
                operations_pb2.DescribeRequest(), timeout=_DESCRIBE_S
            )
        except grpc.aio.AioRpcError as error:
            raise Unavailable(
                f"no mesh answers at {target} ({error.code().name.lower()}); start one with "
                "`voicemesh up`, or leave --target out and one is started",
                stage=pb.STAGE_CLIENT,
            ) from None
    if described.service != "orchestrator":
        raise InvalidArgument(
            f"{described.service} answers at {target}; --target is the address of an orchestrator",
            stage=pb.STAGE_CLIENT,
        )


async def _bench(options: argparse.Namespace, progress: Callable[[str], None]) -> dict[str, Any]:
    # The measuring needs packages of the extra; the command itself does not.
    from voicemesh_evaluation.bench.processes import on_core
    from voicemesh_evaluation.bench.report import as_json
    from voicemesh_evaluation.bench.runs import beside, run_floor, run_mesh

    workload = Workload(
        conversations=options.conversations,
        turns=options.turns,
        pattern=options.pattern,
        spread_s=options.spread,
        reply=options.reply,
        eager=not options.no_eager,
    )
    if options.target:
        await _check_target(options.target)
    script = await asyncio.to_thread(load_script)
    servers, client = options.cores or (None, None)
    floor = None
    with on_core(client):
        async with beside(options.beside, servers):
            if options.engines == "simulated" and not options.no_floor:
                progress("the floor ...")
                floor = await run_floor(workload, script, servers)
            async with _mesh(options, workload, servers) as (target, pids):
                progress(f"the mesh at {target} ...")
                mesh = await run_mesh(workload, script, target, pids)
    return as_json(workload, options.engines, mesh, floor, options.beside)


@asynccontextmanager
async def _mesh(
    options: argparse.Namespace, workload: Workload, core: int | None
) -> AsyncIterator[tuple[str, Mapping[str, int]]]:
    """The mesh to be measured: its orchestrator, and its processes if it is started here."""
    from voicemesh_evaluation.bench.processes import on_core

    if options.target:
        yield options.target, {}
        return
    settings = workload.settings if options.engines == "simulated" else _QUIET
    eager = {_EAGER: str(workload.eager).lower()}
    running = Mesh(
        config=options.config,
        flags={**settings, **eager, **dict(options.settings)},
        ephemeral=True,
        report=lambda line: None,
    )
    try:
        with on_core(core):
            await running.start()
        yield running.target, {name: child.pid for name, child in running.services.items()}
    finally:
        await running.stop()


def run(options: argparse.Namespace, settings: Settings) -> int:
    """See CommandModule."""
    if options.benchmark is not None:
        status: int = options.benchmark(options, settings)
        return status
    _check_installed()
    if options.target and options.settings:
        raise SettingsError(
            "--set changes a mesh that is started; a running one is as it is: leave out --set "
            "or --target"
        )
    if _EAGER in dict(options.settings):
        raise SettingsError(f"{_EAGER} is part of what is measured: use --no-eager")
    if options.beside and not options.cores:
        raise SettingsError("--beside takes a share of the servers' core: say which with --cores")
    check_writable(options.json)
    from voicemesh_evaluation.bench.report import lines

    report = uvloop.run(_bench(options, write_line))
    for line in lines(report):
        write_line(line)
    if options.json is not None:
        write_json(options.json, report)
    return 0 if report["errors"] == 0 else 1
