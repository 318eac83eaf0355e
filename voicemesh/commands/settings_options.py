"""The options of every command that read settings: --config and --set."""

from __future__ import annotations

import argparse
from pathlib import Path


def _setting(text: str) -> tuple[str, str]:
    path, equals, value = text.partition("=")
    if not equals or "." not in path:
        raise argparse.ArgumentTypeError(f"{text!r} is not of the form section.name=value")
    return path, value


def add_settings_options(parser: argparse.ArgumentParser, dest: str = "settings_behind") -> None:
    """Have ``parser`` take --config and --set; a command does it for its sub-commands.

    What stands behind the sub-command's name comes in a ``dest`` of its own, and wins.
    """
    parser.add_argument(
        "--config",
        type=Path,
        default=argparse.SUPPRESS,
        metavar="FILE",
        help="settings file (TOML)",
    )
    parser.add_argument(
        "--set",
        type=_setting,
        action="append",
        default=argparse.SUPPRESS,
        metavar="SECTION.NAME=VALUE",
        dest=dest,
        help="override one setting; may be repeated",
    )
