"""The frame of the ``voicemesh`` command: what a room announces as a command."""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, cast

from voicemesh.errors import InvalidArgument, SettingsError

if TYPE_CHECKING:
    import argparse

    from voicemesh.settings import Settings


class CommandModule(Protocol):
    """The module of a command, imported when the command is named."""

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Declare its options and arguments."""

    def run(self, options: argparse.Namespace, settings: Settings) -> int:
        """Do it; returns the exit status. VoiceMeshErrors are printed by the frame."""


@dataclass(frozen=True)
class Command:
    """A sub-command, announced under the entry-point group ``voicemesh.commands``.

    Announced from a module that imports nothing else, such as the ``__init__`` of the
    room's commands: `voicemesh --help` reads all of them.
    """

    name: str
    summary: str
    module: str
    """The dotted name of its :class:`CommandModule`."""
    sections: Collection[str] | None = None
    """The sections of the settings that it reads; None: all. The rooms of others are not
    imported, unless a flag sets something of theirs."""
    tolerant: bool = False
    """Runs with the defaults when the settings are wrong, to say what is wrong with
    them: the error is then in ``options.settings_error``, else None."""

    def load(self) -> CommandModule:
        """Import its module; SettingsError where that is broken."""
        try:
            return cast(CommandModule, import_module(self.module))
        except ImportError as error:
            raise SettingsError(
                f"{self.module}, which is `voicemesh {self.name}`, cannot be imported ({error}); "
                "install its package again, or uninstall it"
            ) from error


def write_text(path: Path, text: str) -> None:
    """Write what a command was asked to leave in a file; InvalidArgument where it cannot."""
    _write(path, text, "w")


def write_json(path: Path, value: Any) -> None:
    """The same as JSON."""
    write_text(path, f"{json.dumps(value, ensure_ascii=False, indent=2)}\n")


def check_writable(*paths: Path | None) -> None:
    """Tell of files that cannot be written before minutes are spent on what they are for."""
    for path in paths:
        if path is not None:
            is_new = not path.exists()
            _write(path, "", "a")
            if is_new:
                path.unlink()


def _write(path: Path, text: str, mode: str) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open(mode, encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        raise InvalidArgument(
            f"{path} cannot be written ({error.strerror}); name another place"
        ) from None
