"""The sub-commands of ``voicemesh``, which come from the rooms installed here."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import TYPE_CHECKING

from voicemesh import __version__
from voicemesh.commands.frame import Command
from voicemesh.commands.settings_options import add_settings_options
from voicemesh.errors import SettingsError
from voicemesh.registry import installed, installed_names, installed_one

if TYPE_CHECKING:
    from voicemesh.settings import Settings

_COMMANDS = "voicemesh.commands"

if TYPE_CHECKING:
    _SubParsers = argparse._SubParsersAction[argparse.ArgumentParser]


def _named(arguments: Sequence[str]) -> Command | None:
    """The command that is named; None where the whole of `voicemesh` is asked about."""
    if arguments and arguments[0] in installed_names(_COMMANDS):
        command: Command = installed_one(_COMMANDS, arguments[0])
        return command
    return None


def _parser(arguments: Sequence[str]) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="voicemesh", description="A self-hosted, real-time voice assistant for robots."
    )
    parser.add_argument("--version", action="version", version=f"voicemesh {__version__}")
    if arguments[:1] == ["--version"]:  # Answered without a look at what is installed.
        return parser
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    named = _named(arguments)
    if named is None:
        for command in installed(_COMMANDS).values():
            commands.add_parser(command.name, help=command.summary)
    else:
        _add_command(commands, named)
    return parser


def _add_command(commands: _SubParsers, command: Command) -> None:
    """The parser of a command that is going to run."""
    parser = commands.add_parser(command.name, description=command.summary)
    parser.set_defaults(config=None, settings=[], settings_behind=[])
    add_settings_options(parser, "settings")
    module = command.load()
    module.add_arguments(parser)
    parser.set_defaults(command=command, run=module.run)


def _settings(options: argparse.Namespace) -> Settings:
    from voicemesh.settings import defaults, load

    command: Command = options.command
    flags: dict[str, str] = dict(options.settings)
    only = command.sections
    if only is not None:  # What a flag sets is checked in any case.
        only = {*only, *(path.partition(".")[0] for path in flags)}
    options.settings_error = None
    try:
        return load(options.config, flags=flags, only=only)
    except SettingsError as error:
        if not command.tolerant:
            raise
        options.settings_error = error
        return defaults(only)


def read(arguments: Sequence[str]) -> tuple[argparse.Namespace, Settings]:
    """The arguments of the named command, with ``options.run`` that runs it, and its settings.

    Exits where the arguments are wrong, and where `--help` or `--version` is all.
    """
    options = _parser(arguments).parse_args(arguments)
    options.settings = [*options.settings, *options.settings_behind]
    return options, _settings(options)
