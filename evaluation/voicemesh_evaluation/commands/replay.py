"""``voicemesh replay``: a recorded conversation through a running mesh again."""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Container
from contextlib import AsyncExitStack
from pathlib import Path

import uvloop

from voicemesh.commands.frame import write_json
from voicemesh.recording import Recording
from voicemesh.settings import Settings
from voicemesh_evaluation.replay.comparison import REPLY, Comparison
from voicemesh_evaluation.replay.player import Player, RecordedOptions, RecordMessage
from voicemesh_evaluation.replay.replay_recording import ReplayRecording, folder_beside
from voicemesh_evaluation.replay.script import ReplayScript
from voicemesh_robot.asking.console import Console
from voicemesh_robot.clock import MonotonicClock
from voicemesh_robot.commands.ask import robot_settings
from voicemesh_robot.commands.mesh_options import add_target_arguments, add_timeout_argument
from voicemesh_robot.mesh.conversation import Conversation
from voicemesh_robot.settings import RobotSettings


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """See CommandModule."""
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="a recorded conversation")
    add_target_arguments(parser)
    parser.add_argument(
        "--fast", action="store_true", help="as fast as possible instead of in real time"
    )
    parser.add_argument(
        "--record", action="store_true", help="record the replay in a folder beside FOLDER"
    )
    parser.add_argument(
        "--ignore-replies",
        action="store_true",
        help="other replies are no difference: for a model that never answers twice the same",
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write what was compared")
    add_timeout_argument(parser)
    parser.set_defaults(language=[])  # The recording says which.


async def replay(
    folder: Path,
    robot: RobotSettings,
    fast: bool,
    record: bool,
    console: Console,
    ignored: Container[str] = (),
) -> Comparison:
    """Replay the recording in ``folder`` and compare; errors as of Conversation.open.

    ``ignored``: names of differences that do not count.
    """
    script = await asyncio.to_thread(lambda: ReplayScript(Recording(folder)))
    config = script.about.config
    clock = MonotonicClock()
    options = RecordedOptions(target=robot.target, recorded=config)
    async with AsyncExitStack() as stack:
        record_message: RecordMessage | None = None
        if record:
            beside = await asyncio.to_thread(folder_beside, folder)
            console.line(f"The replay is recorded in {beside}.")
            recording = await asyncio.to_thread(ReplayRecording, beside, config, robot.target)
            stack.push_async_callback(recording.close)
            record_message = recording.take
        conversation = await stack.enter_async_context(await Conversation.open(options, clock))
        player = Player(script, conversation, clock, fast, robot.turn_timeout_s)
        return Comparison(script, await player.run(record_message), ignored)


def run(options: argparse.Namespace, settings: Settings) -> int:
    """See CommandModule."""
    console = Console()
    robot = robot_settings(options, settings)
    ignored = (REPLY,) if options.ignore_replies else ()
    comparison = uvloop.run(
        replay(options.folder, robot, options.fast, options.record, console, ignored)
    )
    for line in comparison.lines():
        console.line(line)
    if options.json is not None:
        write_json(options.json, {"folder": str(options.folder), **comparison.as_json()})
    return 0 if comparison.equal else 1
