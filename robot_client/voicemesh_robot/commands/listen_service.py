"""``voicemesh listen-service``: this robot's microphone and speaker for an orchestrator.

As a gRPC service that is dialled, or, with ``--dial``, over a conversation that
the robot dials itself.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
from dataclasses import replace

import uvloop

from voicemesh import logs, server
from voicemesh.aio import TaskSet
from voicemesh.enums import short_name
from voicemesh.settings import Settings
from voicemesh.v1 import dialog_pb2
from voicemesh_robot.asking.console import Console
from voicemesh_robot.commands.sound_options import add_sound_arguments, sound_settings
from voicemesh_robot.devices.choice import check_sound_cards
from voicemesh_robot.dialling.dialler import Dialler, run_until
from voicemesh_robot.dialling.triggers import install_triggers
from voicemesh_robot.listener.service import SPEC, RobotService
from voicemesh_robot.mesh.events import Event
from voicemesh_robot.settings import RobotSettings
from voicemesh_robot.sound.robot import Robot

log = logging.getLogger(__name__)

_AS_SET = ""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """See CommandModule."""
    parser.add_argument("--host", help="address to bind (default: robot.host)")
    parser.add_argument("--port", type=int, help="port to bind (default: robot.port)")
    parser.add_argument(
        "--dial",
        nargs="?",
        const=_AS_SET,
        metavar="HOST:PORT",
        help="bind nothing: dial the orchestrator there (default: robot.target) and take its "
        "commands; Enter or SIGUSR1 wakes the robot",
    )
    add_sound_arguments(parser)


def run(options: argparse.Namespace, settings: Settings) -> int:
    """See CommandModule."""
    robot = sound_settings(
        options, settings, host=options.host, port=options.port, target=options.dial or None
    )
    check_sound_cards(robot)  # Who is deaf and mute must not seem to be well.
    if options.dial is None:
        server.run(replace(SPEC, factory=lambda _: _listener(robot)), settings)
    else:
        logs.configure(SPEC.name, settings.mesh)
        uvloop.run(_dial(robot))
    return 0


def _listener(settings: RobotSettings) -> RobotService:
    """The service, which tells the person at the terminal when it may be dialled."""
    console = Console()
    service = RobotService(settings)
    service.on_serving = lambda address: console.line(f"listening for orchestrators on {address}")
    return service


def _note(event: Event) -> None:
    """Log how turns end; what was said stays out of the log."""
    if isinstance(event.payload, dialog_pb2.TurnEnded):
        outcome = short_name(dialog_pb2.TurnOutcome, event.payload.outcome)
        log.info("turn ended: %s", outcome)


async def _dial(settings: RobotSettings) -> None:
    robot = Robot(settings)
    console = Console()
    dialler = Dialler(
        robot,
        observe=_note,
        report=log.info,
        connected=lambda: console.line(
            f"listening for the orchestrator at {settings.target}; Enter wakes the robot"
        ),
        always_listening=False,
        patient=True,
    )
    tasks = TaskSet()

    def wake(cause: str) -> None:
        tasks.start(dialler.wake(cause), "wake")

    remove = install_triggers(wake)
    try:
        await run_until(dialler, robot, asyncio.Event())
    finally:
        remove()
        await tasks.close()
