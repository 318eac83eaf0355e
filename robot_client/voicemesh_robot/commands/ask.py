"""``voicemesh ask``: one question to a running mesh, from a file or typed."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from voicemesh.commands.frame import check_writable
from voicemesh_robot.commands.mesh_options import (
    add_language_argument,
    add_target_arguments,
    add_timeout_argument,
    count,
    target_of,
)

if TYPE_CHECKING:
    from voicemesh.settings import Settings
    from voicemesh_robot.asking.repeated_question import TurnsReport
    from voicemesh_robot.settings import RobotSettings


def add_turn_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments that the demonstration shares."""
    parser.add_argument("--turns", type=count, default=1, metavar="N", help="ask it N times")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write a report of the turns")
    add_timeout_argument(parser)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """See CommandModule."""
    parser.add_argument(
        "--audio-in", type=Path, metavar="FILE", help="a spoken question: WAV, FLAC or OGG"
    )
    parser.add_argument("--text", default="", help="a typed question; with --audio-in part of it")
    parser.add_argument(
        "--output-file", type=Path, metavar="FILE", help="write the spoken answer as WAV"
    )
    add_target_arguments(parser)
    add_language_argument(parser)
    parser.add_argument(
        "--fast", action="store_true", help="as fast as possible instead of in real time"
    )
    add_turn_arguments(parser)


def robot_settings(options: argparse.Namespace, settings: Settings) -> RobotSettings:
    """``[robot]`` as the command's own flags change it."""
    from voicemesh_robot.settings import RobotSettings

    robot = settings.section("robot", RobotSettings)
    changes: dict[str, object] = {"target": target_of(options, robot)}
    if options.language:
        changes["language_codes"] = tuple(options.language)
    if options.timeout is not None:
        changes["turn_timeout_s"] = options.timeout
    return robot.model_copy(update=changes)


async def _ask(options: argparse.Namespace, robot: RobotSettings) -> TurnsReport:
    # What dials a mesh is imported when there is one to ask: `--help` does without.
    from voicemesh_robot.asking.console import Console
    from voicemesh_robot.asking.question_session import QuestionSession
    from voicemesh_robot.asking.question_turn import Question
    from voicemesh_robot.asking.repeated_question import ask_repeatedly
    from voicemesh_robot.asking.streamed_conversation import StreamingMode

    question = Question(audio=options.audio_in, text=options.text)
    # Whoever types and names no file for the answer wants to read it.
    want_audio = options.audio_in is not None or options.output_file is not None
    mode = StreamingMode(
        real_time=not options.fast,
        store_reply=options.fast,
        speaks=options.audio_in is not None,
        hears=want_audio,
    )
    console = Console()
    async with QuestionSession(robot, mode, console.observe) as session:
        return await ask_repeatedly(
            session, question, options.turns, console, options.output_file, want_audio
        )


def run(options: argparse.Namespace, settings: Settings) -> int:
    """See CommandModule."""
    import uvloop

    check_writable(options.output_file, options.json)
    report = uvloop.run(_ask(options, robot_settings(options, settings)))
    if options.json is not None:
        report.write(options.json)
    return 0 if report.complete else 1
