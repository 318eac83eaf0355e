"""The options of every command that listens and speaks, and the settings they make."""

from __future__ import annotations

import argparse
from pathlib import Path

from pydantic import ValidationError

from voicemesh.errors import InvalidArgument
from voicemesh.settings import Settings
from voicemesh.settings_errors import Wrong
from voicemesh.v1 import common_pb2 as pb
from voicemesh_robot.settings import RobotSettings

_VAD_NAMES = {
    "silero": "silero",
    "webrtc": "webrtc",
    "webrtcvad": "webrtc",
    "none": "none",
}

_OPTIONS = {"capture_rate_hertz": "--audio-fs", "target": "--dial"}
"""Options whose names are not those of their settings."""


def _vad_type(text: str) -> str:
    if text not in _VAD_NAMES:
        raise argparse.ArgumentTypeError(f"{text!r} is not offered; choose silero, webrtc or none")
    return _VAD_NAMES[text]


def add_sound_arguments(parser: argparse.ArgumentParser) -> None:
    """Devices, chunks and the local voice activity detector."""
    parser.add_argument(
        "--audio-in", type=Path, metavar="FILE", help="hear this file instead of a microphone"
    )
    parser.add_argument(
        "--output-file", type=Path, metavar="FILE", help="write WAV instead of using a speaker"
    )
    parser.add_argument(
        "--microphone-devid", metavar="ID", help="index or name (see `voicemesh devices`)"
    )
    parser.add_argument("--audio-devid", metavar="ID", help="the speaker's index or name")
    parser.add_argument(
        "--audio-fs", type=int, metavar="HERTZ", help="rate at which the microphone is opened"
    )
    parser.add_argument(
        "--chunk-duration-ms", type=int, metavar="MS", help="length of one message of speech"
    )
    parser.add_argument(
        "--vad-type", type=_vad_type, metavar="NAME", help="local detector: silero, webrtc, none"
    )
    parser.add_argument(
        "--vad-level", type=int, metavar="0..3", help="how readily sound is taken for noise"
    )


def sound_settings(
    options: argparse.Namespace, settings: Settings, **changes: object
) -> RobotSettings:
    """``[robot]`` as the flags change it; the changes are validated."""
    robot = settings.section("robot", RobotSettings)
    flags = {
        "microphone": _text(options.audio_in) or options.microphone_devid,
        "speaker": _text(options.output_file) or options.audio_devid,
        "capture_rate_hertz": options.audio_fs,
        "chunk_duration_ms": options.chunk_duration_ms,
        "vad_type": options.vad_type,
        "vad_level": options.vad_level,
        **changes,
    }
    given = {name: value for name, value in flags.items() if value is not None}
    try:
        return RobotSettings.model_validate(robot.model_dump() | given)
    except ValidationError as error:
        wrong = Wrong(error, RobotSettings)
        name = wrong.place[0]
        option = _OPTIONS.get(name) or f"--{name.replace('_', '-')}"
        raise InvalidArgument(
            f"{option}: {wrong.sentence()}", field=option, stage=pb.STAGE_CLIENT
        ) from None


def _text(path: Path | None) -> str | None:
    return None if path is None else str(path)
