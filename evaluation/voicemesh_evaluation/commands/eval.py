"""``voicemesh eval``: measured reports on the mesh itself."""

from __future__ import annotations

import argparse
import asyncio
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import uvloop

from voicemesh.commands.frame import check_writable, write_text
from voicemesh.errors import InvalidArgument
from voicemesh.settings import Settings
from voicemesh_evaluation.chips import replay as chips
from voicemesh_evaluation.chips.profiles import load_profiles
from voicemesh_evaluation.command_line import at_least_one, write_line
from voicemesh_evaluation.commands import eval_recognition
from voicemesh_evaluation.turns import evaluate as turns
from voicemesh_evaluation.turns.report import report
from voicemesh_robot.files.audio_file import AudioFile


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """See CommandModule."""
    kinds = parser.add_subparsers(dest="kind", required=True, metavar="WHAT")
    replay = kinds.add_parser(
        "chips",
        help="published stage times of TPU boxes, replayed by the simulated engines",
        description="Runs a mesh with the published stage times of TPU boxes and compares its "
        "response with what follows from those times alone.",
    )
    replay.add_argument(
        "--audio-in",
        type=Path,
        required=True,
        metavar="FILE",
        help="a spoken question; its sound starts and ends the turn, its words are the profile's",
    )
    replay.add_argument(
        "--turns", type=at_least_one, default=5, metavar="N", help="questions to each profile"
    )
    replay.add_argument("--box", help="only this box, such as SE9-16")
    replay.add_argument("--report", type=Path, metavar="FILE", help="write the report here as well")
    replay.add_argument("--json", type=Path, metavar="FILE", help="write the figures here")
    measured = kinds.add_parser(
        "turns",
        help="how well turns are taken: waits, cut-offs, interruptions, response",
        description="Measures the ends of turns, interruptions and responses on utterances that "
        "are made here. The full measurement takes up to 20 minutes.",
    )
    measured.add_argument(
        "--material",
        type=Path,
        metavar="FOLDER",
        help="WAV files, each with a JSON of its words and their times beside it; measures the "
        "ends of turns on these instead",
    )
    measured.add_argument("--json", type=Path, metavar="FILE", help="write the figures here")
    measured.add_argument(
        "--report", type=Path, metavar="FILE", help="write the report here as well"
    )
    measured.add_argument(
        "--pictures", type=Path, metavar="FOLDER", help="draw every conversation into this folder"
    )
    measured.add_argument("--quick", action="store_true", help="a small part of everything")
    measured.add_argument(
        "--interruptions",
        type=at_least_one,
        metavar="N",
        help="real interruptions, and as many sounds of listening and noises",
    )
    eval_recognition.add_arguments(
        kinds.add_parser(
            "recognition",
            help="how well people are understood: words wrong, times, processors",
            description="Streams recordings of people to a recogniser and compares what it hears "
            "with what they say.",
        )
    )


def _progress() -> Callable[[str], None]:
    """Lines with the minutes and seconds since now."""
    began_s = time.monotonic()

    def progress(line: str) -> None:
        minutes, seconds = divmod(int(time.monotonic() - began_s), 60)
        write_line(f"{minutes:2d}:{seconds:02d} {line}")

    return progress


def _leave(path: Path | None, text: str) -> None:
    if path is not None:
        write_text(path, f"{text}\n")


async def _replay_chips(options: argparse.Namespace, settings: Settings) -> int:
    profiles = load_profiles()
    boxes = sorted({profile.box for profile in profiles})
    if options.box is not None:
        profiles = [profile for profile in profiles if profile.box == options.box]
    if not profiles:
        raise InvalidArgument(
            f"no stage times of {options.box!r} are known; there are those of {', '.join(boxes)}",
            field="--box",
        )
    await asyncio.to_thread(AudioFile, options.audio_in)  # A bad file is told before the mesh runs.
    replayed = await chips.replay(profiles, options.audio_in, options.turns, _progress())
    text = "\n".join(chips.report(replayed))
    write_line(text)
    _leave(options.report, text)
    _leave(options.json, chips.as_json(replayed))
    return 0 if all(r.within_bar for r in replayed) else 1


async def _evaluate_turns(options: argparse.Namespace, settings: Settings) -> int:
    scope = replace(turns.QUICK if options.quick else turns.Scope(), material=options.material)
    if options.interruptions is not None:
        scope = replace(scope, barge_ins=options.interruptions)
    figures = await turns.evaluate(scope, options.pictures, _progress())
    text = "\n".join(report(figures))
    write_line(text)
    _leave(options.report, text)
    _leave(options.json, figures.as_json())
    return 0 if all(met is not False for _, _, _, met in figures.bars()) else 1


async def _evaluate_recognition(options: argparse.Namespace, settings: Settings) -> int:
    return await eval_recognition.run(options, settings, _progress())


def run(options: argparse.Namespace, settings: Settings) -> int:
    """See CommandModule."""
    check_writable(options.report, options.json)
    return uvloop.run(_KINDS[options.kind](options, settings))


_KINDS = {
    "chips": _replay_chips,
    "recognition": _evaluate_recognition,
    "turns": _evaluate_turns,
}
