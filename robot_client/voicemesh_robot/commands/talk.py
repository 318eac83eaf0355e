"""``voicemesh talk``: a conversation with the mesh by microphone and speaker."""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Callable

import uvloop

from voicemesh.aio import TaskSet
from voicemesh.settings import Settings
from voicemesh.v1 import dialog_pb2
from voicemesh_robot.asking.console import Console
from voicemesh_robot.commands.mesh_options import (
    add_language_argument,
    add_target_arguments,
    count,
    target_of,
)
from voicemesh_robot.commands.sound_options import add_sound_arguments, sound_settings
from voicemesh_robot.devices.notices import Notice
from voicemesh_robot.dialling.dialler import Dialler, run_until
from voicemesh_robot.dialling.triggers import install_triggers
from voicemesh_robot.mesh.events import Event
from voicemesh_robot.settings import RobotSettings
from voicemesh_robot.sound.robot import Robot


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """See CommandModule."""
    add_target_arguments(parser)
    add_language_argument(parser)
    parser.add_argument(
        "--turns", type=count, metavar="N", help="end after N answers (default: Ctrl-C ends)"
    )
    add_sound_arguments(parser)


class _Turns:
    """Counts the answers that were given to their end, and offers to wake a robot that sleeps."""

    def __init__(self, console: Console, wanted: int | None, wake: Callable[[str], None]) -> None:
        self._console = console
        self._left = wanted
        self._wake = wake
        self._remove_triggers: Callable[[], None] | None = None
        self.over = asyncio.Event()

    def _offer_to_wake(self) -> None:
        # Only now: a process in the background must not touch its terminal.
        if self._remove_triggers is None:
            self._remove_triggers = install_triggers(self._wake)
        self._console.line("       (press Enter to wake it)")

    def observe(self, event: Event) -> None:
        self._console.observe(event)
        match event.payload:
            case dialog_pb2.TurnEnded(outcome=dialog_pb2.TURN_OUTCOME_COMPLETED):
                if self._left is not None:
                    self._left -= 1
                    if self._left <= 0:
                        self.over.set()
            case dialog_pb2.FallAsleep():
                self._offer_to_wake()

    def close(self) -> None:
        """Offer nothing any more."""
        if self._remove_triggers is not None:
            self._remove_triggers()


async def _talk(settings: RobotSettings, turns: int | None) -> None:
    console = Console()

    def noticed(notice: Notice) -> None:
        console.line(f"       ({notice.text})")

    tasks = TaskSet()

    def wake(cause: str) -> None:
        tasks.start(dialler.wake(cause), "wake")

    counted = _Turns(console, turns, wake)
    robot = Robot(settings, observe=noticed)
    dialler = Dialler(
        robot,
        observe=counted.observe,
        report=console.line,
        connected=lambda: console.line("listening: speak"),
        always_listening=True,
        patient=False,
    )
    try:
        await run_until(dialler, robot, counted.over)
    finally:
        counted.close()
        await tasks.close()


def run(options: argparse.Namespace, settings: Settings) -> int:
    """See CommandModule."""
    robot = sound_settings(
        options,
        settings,
        target=target_of(options, settings.section("robot", RobotSettings)),
        language_codes=tuple(options.language) or None,
    )
    uvloop.run(_talk(robot, options.turns))
    return 0
