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
from voicemesh_evaluation.bench.floor_line import FloorLine
from voicemesh_evaluation.bench.line import Line
from voicemesh_evaluation.bench.mesh_line import MeshLine
from voicemesh_evaluation.bench.processes import Meter, Usage, on_core
from voicemesh_evaluation.bench.talker import Talker
from voicemesh_evaluation.bench.tally import Tally
from voicemesh_evaluation.bench.workload import Script, Workload

_SETTLE_S = 0.5


@dataclass(frozen=True)
class Outcome:
    """What a run came to."""

    tally: Tally
    usages: Mapping[str, Usage]


async def _converse(
    workload: Workload, script: Script, line: Callable[[], Line], pids: Mapping[str, int]
) -> Outcome:
    tally = Tally()
    meter = Meter(pids, lambda: tally.turns + tally.errors)
    watching = asyncio.create_task(meter.run(), name="meter")
    # A collection of the client's own heap would show up as latency of the servers.
    gc.collect()
    gc.freeze()
    begin_s = time.monotonic() + _SETTLE_S
    try:
        await asyncio.gather(
            *(
                Talker(line(), workload, script, tally).run(begin_s + workload.start_s(index))
                for index in range(workload.conversations)
            )
        )
    finally:
        gc.unfreeze()
        await cancel_and_wait(watching)
    return Outcome(tally, meter.usages())


async def run_mesh(
    workload: Workload, script: Script, target: str, pids: Mapping[str, int]
) -> Outcome:
    """Drive the mesh at ``target``; ``pids`` are those of its services, where known."""
    return await _converse(workload, script, lambda: MeshLine(target), pids)


async def run_floor(workload: Workload, script: Script, core: int | None) -> Outcome:
    """Start the floor on ``core``, drive it, stop it."""
    async with (
        _floor(workload, core) as (port, pid),
        aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session,
    ):
        return await _converse(workload, script, lambda: FloorLine(session, port), {"floor": pid})


@asynccontextmanager
async def _floor(workload: Workload, core: int | None) -> AsyncIterator[tuple[int, int]]:
    """The floor's port and process."""
    with on_core(core):
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-P", "-m", "voicemesh_evaluation.bench.floor_server"),
            *(str(os.getpid()), json.dumps(asdict(workload))),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            start_new_session=True,
        )
    assert process.stdout is not None
    try:
        line = await process.stdout.readline()
        if not line:
            raise Unavailable("the floor's process ended at once; its message stands above")
        yield int(line), process.pid
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()
