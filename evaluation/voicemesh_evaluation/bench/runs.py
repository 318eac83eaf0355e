"""One run of the workload: over the floor, or over a mesh."""

from __future__ import annotations

import asyncio
import gc
import json
import os
import sys
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass

import aiohttp

from voicemesh.aio import cancel_and_wait
from voicemesh.errors import Unavailable
from voicemesh_evaluation.bench.connection import Connection
from voicemesh_evaluation.bench.floor_connection import FloorConnection
from voicemesh_evaluation.bench.mesh_connection import MeshConnection
from voicemesh_evaluation.bench.processes import ProcessUsage, UsageMeter, on_core
from voicemesh_evaluation.bench.talker import Talker
from voicemesh_evaluation.bench.tally import Tally
from voicemesh_evaluation.bench.workload import BenchScript, Workload

_SETTLE_S = 0.5


@dataclass(frozen=True)
class RunOutcome:
    """What a run came to."""

    tally: Tally
    usages: Mapping[str, ProcessUsage]


async def _converse(
    workload: Workload,
    script: BenchScript,
    connect: Callable[[], Connection],
    pids: Mapping[str, int],
) -> RunOutcome:
    tally = Tally()
    meter = UsageMeter(pids, lambda: tally.turns + tally.errors)
    watching = asyncio.create_task(meter.run(), name="meter")
    # A collection of the client's own heap would show up as latency of the servers.
    gc.collect()
    gc.freeze()
    begin_s = time.monotonic() + _SETTLE_S
    try:
        await asyncio.gather(
            *(
                Talker(connect(), workload, script, tally).run(begin_s + workload.start_s(index))
                for index in range(workload.conversations)
            )
        )
    finally:
        gc.unfreeze()
        await cancel_and_wait(watching)
    return RunOutcome(tally, meter.usages())


async def run_mesh(
    workload: Workload, script: BenchScript, target: str, pids: Mapping[str, int]
) -> RunOutcome:
    """Drive the mesh at ``target``; ``pids`` are those of its services, where known."""
    return await _converse(workload, script, lambda: MeshConnection(target), pids)


async def run_floor(workload: Workload, script: BenchScript, core: int | None) -> RunOutcome:
    """Start the floor on ``core``, drive it, stop it."""
    async with (
        _floor(workload, core) as (port, pid),
        aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session,
    ):
        return await _converse(
            workload, script, lambda: FloorConnection(session, port), {"floor": pid}
        )


@asynccontextmanager
async def _floor(workload: Workload, core: int | None) -> AsyncIterator[tuple[int, int]]:
    """The floor's port and process."""
    async with _process("floor_server", json.dumps(asdict(workload)), core) as (line, pid):
        yield int(line), pid


@asynccontextmanager
async def beside(percent: int, core: int | None) -> AsyncIterator[None]:
    """Another process takes so much of ``core`` meanwhile; 0: there is none."""
    if not percent:
        yield
        return
    async with _process("busy_neighbour", str(percent), core):
        yield


@asynccontextmanager
async def _process(module: str, argument: str, core: int | None) -> AsyncIterator[tuple[str, int]]:
    """A process of the benchmark's own: its first line, and its id."""
    with on_core(core):
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-P", "-m", f"voicemesh_evaluation.bench.{module}"),
            *(str(os.getpid()), argument),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            start_new_session=True,
        )
    assert process.stdout is not None
    try:
        line = await process.stdout.readline()
        if not line:
            raise Unavailable(f"the process of {module} ended at once; its message stands above")
        yield line.decode(), process.pid
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()
