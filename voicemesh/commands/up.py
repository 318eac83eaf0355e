"""``voicemesh up``: run the mesh in this terminal."""

from __future__ import annotations

import argparse
import asyncio
import signal
from pathlib import Path

from voicemesh import logs
from voicemesh.aio import cancel_and_wait
from voicemesh.devices import device_kinds
from voicemesh.settings import Settings
from voicemesh.supervisor import Mesh


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """See CommandModule."""
    parser.add_argument("names", nargs="*", metavar="NAME", help="services to run; default: all")
    parser.add_argument(
        "--ephemeral", action="store_true", help="let every service listen on a free port"
    )
    parser.add_argument(
        "--state", type=Path, metavar="FILE", help="keep a JSON file of pids and targets"
    )


async def _up(mesh: Mesh) -> int:
    """Run until SIGTERM or SIGINT; a second signal kills the services."""
    loop = asyncio.get_running_loop()
    stopping = asyncio.Event()
    killed = False

    def on_signal() -> None:
        nonlocal killed
        if stopping.is_set():
            killed = True
            logs.say("killing all services")
            mesh.kill()
        stopping.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, on_signal)
    stop = loop.create_task(stopping.wait(), name="signal")
    start = loop.create_task(mesh.start(), name="start")
    try:
        await asyncio.wait({start, stop}, return_when=asyncio.FIRST_COMPLETED)
        if start.done():
            start.result()
            logs.say(f"ready: {mesh.target}" if mesh.target else "ready")
            await stop
        logs.say(
            "stopping when what is under way has ended, at the latest in "
            f"{mesh.drain_grace_s:g} s; once more stops at once"
        )
    finally:
        await cancel_and_wait(start, stop)
        await mesh.stop()
    return 1 if killed else 0


def run(options: argparse.Namespace, settings: Settings) -> int:
    """See CommandModule."""
    logs.configure("up", settings.mesh)
    for kind in device_kinds().values():
        for warning in kind.warnings(settings):
            logs.say(warning)
    mesh = Mesh(
        options.names,
        config=options.config,
        flags=dict(options.settings),
        ephemeral=options.ephemeral,
        state=options.state,
        report=logs.say,
    )
    return asyncio.run(_up(mesh))
