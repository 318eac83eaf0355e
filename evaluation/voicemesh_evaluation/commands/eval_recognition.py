"""``voicemesh eval recognition``: how well people are understood."""

from __future__ import annotations

import argparse
import asyncio
import math
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from voicemesh.commands.frame import write_json, write_text
from voicemesh.commands.settings_options import add_settings_options
from voicemesh.errors import InvalidArgument, SettingsError
from voicemesh.settings import Settings
from voicemesh_evaluation.command_line import at_least_one, service_address, write_line
from voicemesh_evaluation.recognition.figures import Figures
from voicemesh_evaluation.recognition.made_here import make_material
from voicemesh_evaluation.recognition.material import Apart, Material, read_material
from voicemesh_evaluation.recognition.measure import Scope, measure
from voicemesh_evaluation.recognition.report import report

_LANGUAGES = "mesh.languages"


def _decibels(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not -20 <= number <= 60:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of decibels from -20 to 60")
    return number


def _apart(text: str) -> Apart:
    pattern, equals, group = text.partition("=")
    if not (pattern and equals and group):
        raise argparse.ArgumentTypeError(f"{text!r} is not PATTERN=GROUP, such as '*phone*=phone'")
    return Apart(pattern, group)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of this kind."""
    add_settings_options(parser)
    parser.add_argument(
        "--material",
        type=Path,
        metavar="FOLDER",
        help="recordings with their texts: turns.json with FLAC files, or WAV and FLAC files "
        "with a .txt or .json beside each; default: questions that are synthesised here",
    )
    parser.add_argument(
        "--group",
        action="append",
        default=[],
        dest="groups",
        metavar="GROUP",
        help="only this group of them; may be repeated",
    )
    parser.add_argument(
        "--apart",
        action="append",
        type=_apart,
        default=[],
        metavar="PATTERN=GROUP",
        help="count recordings whose name, or that of the file they were cut from, is like this "
        "as a group of its own; may be repeated",
    )
    parser.add_argument(
        "--noise",
        action="append",
        type=_decibels,
        default=[],
        dest="noises",
        metavar="DB",
        help="hear them in white noise too, so far below the speech; may be repeated",
    )
    parser.add_argument(
        "--speakers",
        type=at_least_one,
        default=1,
        metavar="N",
        help="so many speak at once, in real time",
    )
    parser.add_argument(
        "--real-time",
        action="store_true",
        help="send clips at the pace at which they were said, not as fast as they are taken",
    )
    parser.add_argument(
        "--target",
        type=service_address,
        metavar="HOST:PORT",
        help="the recogniser of a running mesh; default: one is started for each language",
    )
    parser.add_argument(
        "--texts",
        action="store_true",
        help="print what was said and heard in clips with errors; never in the report",
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures here")
    parser.add_argument("--report", type=Path, metavar="FILE", help="write the report here as well")


async def run(
    options: argparse.Namespace, settings: Settings, progress: Callable[[str], None]
) -> int:
    """Measure, print the report, and leave what was asked for."""
    if options.target and options.settings:
        raise SettingsError(
            "--set changes a recogniser that is started; a running one is as it is: leave out "
            "--set or --target"
        )
    scope = Scope(
        noises_db=options.noises,
        speakers=options.speakers,
        real_time=options.real_time,
        target=options.target or "",
        config=options.config,
        flags=dict(options.settings),
        usual_language=settings.mesh.languages[0],
        languages_set=any(
            value.path == _LANGUAGES and value.source != "default" for value in settings.values()
        ),
    )
    figures = await _measure(options, scope, progress)
    text = "\n".join(report(figures))
    write_line(text)
    if options.texts:
        write_line("\n".join(_texts(figures)))
    if options.report is not None:
        write_text(options.report, f"{text}\n")
    if options.json is not None:
        write_json(options.json, figures.as_json())
    return 0


def _texts(figures: Figures) -> Iterator[str]:
    for name, group in figures.groups.items():
        for clip, (said, heard) in group.misheard.items():
            yield f"{name}, {clip}:\n  said:  {said}\n  heard: {heard}"


async def _measure(
    options: argparse.Namespace, scope: Scope, progress: Callable[[str], None]
) -> Figures:
    if options.material is not None:
        material = await asyncio.to_thread(read_material, options.material, options.apart)
        return await measure(_chosen(material, options.groups), scope, progress)
    with TemporaryDirectory() as folder:
        progress("questions are synthesised ...")
        material = await make_material(Path(folder))
        return await measure(_chosen(material, options.groups), scope, progress)


def _chosen(material: Material, groups: list[str]) -> Material:
    """Of the material those groups; kinds of sounds are groups as well."""
    if not groups:
        return material
    known = {recording.group for recording in material.recordings}
    known |= {sound.kind for sound in material.sounds}
    for group in groups:
        if group not in known:
            raise InvalidArgument(
                f"there is no group {group!r}; there are {', '.join(sorted(known))}",
                field="--group",
            )
    return Material(
        [recording for recording in material.recordings if recording.group in groups],
        [sound for sound in material.sounds if sound.kind in groups],
    )
