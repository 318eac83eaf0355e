"""The options of commands that dial a mesh and wait for its turns."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from voicemesh.errors import InvalidArgument

if TYPE_CHECKING:
    from voicemesh_robot.settings import RobotSettings


def count(text: str) -> int:
    """An argument that counts from 1."""
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("at least 1")
    return number


def _seconds(text: str) -> float:
    number = float(text)
    if not number > 0:
        raise argparse.ArgumentTypeError("more than 0 seconds")
    return number


def _port(text: str) -> int:
    from voicemesh.targets import is_port  # Brings pydantic, which `--help` does without.

    if not is_port(text):
        raise argparse.ArgumentTypeError("a port from 1 to 65535")
    return int(text)


def add_target_arguments(parser: argparse.ArgumentParser) -> None:
    """Where the mesh is."""
    parser.add_argument("--host", help="where the orchestrator is (default: robot.target)")
    parser.add_argument("--port", type=_port, help="its port (default: robot.target)")


def target_of(options: argparse.Namespace, settings: RobotSettings) -> str:
    """The same as host:port; InvalidArgument where the host cannot be one."""
    from voicemesh.targets import checked_target

    host, _, port = settings.target.rpartition(":")
    try:
        return checked_target(f"{options.host or host}:{options.port or port}")
    except ValueError as error:
        raise InvalidArgument(f"the mesh's address {error}", field="--host") from None


def add_language_argument(parser: argparse.ArgumentParser) -> None:
    """What is spoken."""
    parser.add_argument(
        "--language",
        action="append",
        default=[],
        metavar="TAG",
        help="a BCP-47 tag such as en or zh, likeliest first; may be repeated",
    )


def add_timeout_argument(parser: argparse.ArgumentParser) -> None:
    """How long to wait."""
    parser.add_argument(
        "--timeout", type=_seconds, metavar="SECONDS", help="the longest wait for a turn's end"
    )
