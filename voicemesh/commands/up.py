"""``voicemesh up``: run the mesh in this terminal."""

from __future__ import annotations

import argparse
import asyncio
import signal
from collections.abc import Callable
from pathlib import Path

from voicemesh import logs
from voicemesh.aio import cancel_and_wait
from voicemesh.core_plan import shared_cores
from voicemesh.devices import device_kinds
from voicemesh.errors import VoiceMeshError
from voicemesh.settings import Settings
from voicemesh.supervisor import Mesh, MeshEvent

KILLED = 5
"""The exit status after a second signal: what was under way was cut off."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """See CommandModule."""
    parser.add_argument("names", nargs="*", metavar="NAME", help="services to run; default: all")
    parser.add_argument(
        "--ephemeral", action="store_true", help="let every service listen on a free port"
    )
    parser.add_argument(
        "--json", action="store_true", help="tell what happens as JSON, an object a line"
    )
    parser.add_argument(
        "--state", type=Path, metavar="FILE", help="keep a JSON file of pids and targets"
    )


def _say(event: MeshEvent) -> None:
    logs.say(str(event))


def _say_json(event: MeshEvent) -> None:
    print(event.as_json(), flush=True)


async def _up(mesh: Mesh, say: Callable[[MeshEvent], None]) -> int:
    """Run until SIGTERM or SIGINT; a second signal kills the services."""
    loop = asyncio.get_running_loop()
    stopping = asyncio.Event()
    killed = False

    def on_signal() -> None:
        nonlocal killed
        if stopping.is_set():
            killed = True
            say(MeshEvent("killing", "killing all services"))
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
            text = f"ready: {mesh.target}" if mesh.target else "ready"
            say(MeshEvent("ready", text, target=mesh.target))
            await stop
        text = (
            "stopping when what is under way has ended, at the latest in "
            f"{mesh.drain_grace_s:g} s; once more stops at once"
        )
        say(MeshEvent("stopping", text, grace_s=mesh.drain_grace_s))
    finally:
        await cancel_and_wait(start, stop)
        await mesh.stop()
    status = KILLED if killed else 0
    say(MeshEvent("stopped", "stopped", exit_status=status))
    return status


def run(options: argparse.Namespace, settings: Settings) -> int:
    """See CommandModule."""
    logs.configure("up", settings.mesh)
    say = _say_json if options.json else _say
    try:
        return _run(options, settings, say)
    except VoiceMeshError as error:
        if options.json:
            status = error.exit_status
            say(MeshEvent("failed", str(error), field=error.field, exit_status=status))
        raise


def _run(options: argparse.Namespace, settings: Settings, say: Callable[[MeshEvent], None]) -> int:
    if settings.elsewhere:
        say(MeshEvent("warning", settings.unread()))
    for _, sentence in shared_cores(settings):
        say(MeshEvent("warning", sentence))
    for kind in device_kinds().values():
        for warning in kind.warnings(settings):
            say(MeshEvent("warning", warning))
    mesh = Mesh(
        options.names,
        config=options.config,
        flags=dict(options.settings),
        ephemeral=options.ephemeral,
        state=options.state,
        report=say,
    )
    return asyncio.run(_up(mesh, say))
