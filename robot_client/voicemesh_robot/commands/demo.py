"""``voicemesh demo``: start a mesh, ask it a spoken question in real time, stop it."""

from __future__ import annotations

import argparse
import asyncio
import time
from pathlib import Path

import uvloop

from voicemesh.settings import Settings
from voicemesh.supervisor import Mesh
from voicemesh_robot.asking.console import Console
from voicemesh_robot.asking.question_session import QuestionSession
from voicemesh_robot.asking.question_turn import Question
from voicemesh_robot.asking.repeated_question import TurnsReport, ask_repeatedly
from voicemesh_robot.asking.streamed_conversation import StreamingMode
from voicemesh_robot.commands.ask import add_turn_arguments
from voicemesh_robot.settings import RobotSettings

ANSWER = Path("out/answer.wav")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """See CommandModule."""
    parser.add_argument(
        "--audio-in",
        type=Path,
        metavar="FILE",
        required=True,
        help="the spoken question: WAV, FLAC or OGG",
    )
    parser.add_argument(
        "--output-file",
        type=Path,
        metavar="FILE",
        default=ANSWER,
        help=f"the spoken answer as WAV (default: {ANSWER})",
    )
    add_turn_arguments(parser)


async def _demo(options: argparse.Namespace, settings: Settings) -> TurnsReport:
    console = Console()
    flags = {"mesh.log_level": "warning"} | dict(options.settings)
    mesh = Mesh(
        config=options.config,
        flags=flags,
        ephemeral=True,
        report=lambda event: console.line(f"  {event}"),
    )
    began = time.monotonic()
    console.line("Starting the mesh:")
    async with mesh:
        console.line(f"Ready after {time.monotonic() - began:.1f} s. Asking {options.audio_in}.\n")
        mesh_bytes = await asyncio.to_thread(mesh.held_bytes)
        robot = settings.section("robot", RobotSettings)
        changes: dict[str, object] = {"target": mesh.target}
        if options.timeout is not None:
            changes["turn_timeout_s"] = options.timeout
        mode = StreamingMode(real_time=True, store_reply=True)
        session = QuestionSession(robot.model_copy(update=changes), mode, console.observe)
        async with session:
            report = await ask_repeatedly(
                session,
                Question(audio=options.audio_in),
                options.turns,
                console,
                options.output_file,
                want_audio=True,
            )
        report.mesh_bytes = mesh_bytes
        described = [await owner.planned.described() for owner in mesh.owners.values()]
        report.chips = [dict(chip) for chip in described if chip]
    console.line(f"The mesh has stopped; {time.monotonic() - began:.1f} s in all.")
    return report


def run(options: argparse.Namespace, settings: Settings) -> int:
    """See CommandModule."""
    report = uvloop.run(_demo(options, settings))
    if options.json is not None:
        report.write(options.json)
    return 0 if report.complete else 1
