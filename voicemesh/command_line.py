"""The sub-commands of ``voicemesh``, which come from the rooms installed here."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from voicemesh import __version__
from voicemesh.commands.frame import Command
from voicemesh.errors import SettingsError
from voicemesh.registry import installed_names, installed_one
from voicemesh.settings import Settings, defaults, load

_COMMANDS = "voicemesh.commands"


def _setting(text: str) -> tuple[str, str]:
    path, equals, value = text.partition("=")
    if not equals or "." not in path:
        raise argparse.ArgumentTypeError(f"{text!r} is not of the form section.name=value")
    return path, value


def _wanted(arguments: Sequence[str]) -> Sequence[str]:
    """The command that is named, or all: importing one room is quicker than all."""
    names = installed_names(_COMMANDS)
    return arguments[:1] if arguments and arguments[0] in names else names


def _parser(names: Sequence[str]) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="voicemesh", description="A self-hosted, real-time voice assistant for robots."
    )
    parser.add_argument("--version", action="version", version=f"voicemesh {__version__}")
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--config", type=Path, metavar="FILE", help="settings file (TOML)")
    common.add_argument(
        "--set",
        type=_setting,
        action="append",
        default=[],
        metavar="SECTION.NAME=VALUE",
        dest="settings",
        help="override one setting; may be repeated",
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for name in names:
        command: Command = installed_one(_COMMANDS, name)
        sub = commands.add_parser(
            command.name, help=command.summary, description=command.summary, parents=[common]
        )
        command.add_arguments(sub)
        sub.set_defaults(command=command)
    return parser


def _settings(options: argparse.Namespace) -> Settings:
    options.settings_error = None
    try:
        return load(options.config, flags=dict(options.settings))
    except SettingsError as error:
        if not options.command.tolerant:
            raise
        options.settings_error = error
        return defaults()


def read(arguments: Sequence[str]) -> tuple[argparse.Namespace, Settings]:
    """The named command, imported, as ``options.command``, with its arguments and settings.

    Exits where the arguments are wrong.
    """
    options = _parser(_wanted(arguments)).parse_args(arguments)
    return options, _settings(options)
