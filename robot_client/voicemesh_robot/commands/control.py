"""``voicemesh control``: listen, think and speak on a robot, turn after turn."""

from __future__ import annotations

import argparse
from itertools import count
from pathlib import Path

import uvloop

from voicemesh.settings import Settings
from voicemesh.v1 import asr_pb2, dialog_pb2
from voicemesh_robot.asking.console import Console
from voicemesh_robot.asking.repeated_question import TurnsReport
from voicemesh_robot.commands import mesh_options
from voicemesh_robot.mesh.controlled_turn_record import ControlledTurnRecord
from voicemesh_robot.mesh.controller import Controller
from voicemesh_robot.mesh.events import Event
from voicemesh_robot.settings import RobotSettings


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """See CommandModule."""
    robot = parser.add_mutually_exclusive_group(required=True)
    robot.add_argument(
        "--robot", metavar="HOST:PORT", help="the robot's listener, as the orchestrator reaches it"
    )
    robot.add_argument(
        "--conversation", metavar="ID", help="the conversation of a robot that dialled out"
    )
    parser.add_argument(
        "--orchestrator", metavar="HOST:PORT", help="where it is (default: robot.target)"
    )
    turns = parser.add_mutually_exclusive_group()
    turns.add_argument(
        "--turns",
        type=mesh_options.count,
        metavar="N",
        help="so many turns (default: until interrupted)",
    )
    turns.add_argument("--once", action="store_true", help="one turn")
    turns.add_argument("--text", default="", help="one turn that asks this instead of listening")
    turns.add_argument("--say-only", default="", metavar="TEXT", help="say this and nothing else")
    parser.add_argument("--say", default="", metavar="TEXT", help="say this first in each turn")
    mesh_options.add_language_argument(parser)
    parser.add_argument("--json", type=Path, metavar="FILE", help="write a report of the turns")


class _Screen:
    """Prints a turn as it goes."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def observe(self, news: dialog_pb2.RunTurnResponse) -> None:
        """Print what was heard and what is answered."""
        match news.WhichOneof("run_turn_response"):
            case "turn_event":
                if news.turn_event.type == asr_pb2.TURN_EVENT_TYPE_START_OF_TURN:
                    self._console.line("       (somebody speaks)")
                self._console.observe(Event(news.stamp, 0.0, news.turn_event))
            case "reply_text":
                self._console.observe(Event(news.stamp, 0.0, news.reply_text))
            case "reply_ducked":
                self._console.observe(Event(news.stamp, 0.0, news.reply_ducked))
            case "reply_interrupted":
                self._console.observe(Event(news.stamp, 0.0, news.reply_interrupted))

    def summary(self, record: ControlledTurnRecord) -> None:
        """Print how long what took."""
        self._console.line()
        for name, taken_ms in record.timings():
            self._console.line(f"  {name:16} {taken_ms:8.0f} ms")
        if record.error is not None:
            self._console.line(f"error: {record.problem}")


async def _control(
    options: argparse.Namespace, settings: RobotSettings, report: TurnsReport
) -> None:
    console = Console()
    screen = _Screen(console)
    request = dialog_pb2.RunTurnRequest(
        robot_target=options.robot,
        conversation_id=options.conversation,
        language_codes=options.language or settings.language_codes,
        text=options.text,
        say=options.say_only or options.say,
        say_only=bool(options.say_only),
    )
    turns = 1 if options.once or options.text or options.say_only else options.turns
    target = options.orchestrator or settings.target
    async with Controller(target, settings.connect_timeout_s, screen.observe) as controller:
        for number in range(1, turns + 1) if turns else count(1):
            if turns != 1:
                console.line(f"\nTurn {number}{f' of {turns}' if turns else ''}")
            if options.text:
                console.line(f"you:   {options.text}")
            record = await controller.run_turn(request)
            screen.summary(record)
            report.entries.append(record.as_json())
            report.complete = report.complete and record.answered
            if record.ended_s is None and not turns:
                return  # Whatever refused this turn would refuse the next one too.


def run(options: argparse.Namespace, settings: Settings) -> int:
    """See CommandModule."""
    report = TurnsReport()
    try:
        uvloop.run(_control(options, settings.section("robot", RobotSettings), report))
    finally:
        if options.json is not None:
            report.write(options.json)
    return 0 if report.complete else 1
