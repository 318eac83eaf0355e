"""The frame of the ``voicemesh`` command: what a room announces as a command."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from voicemesh.errors import InvalidArgument
from voicemesh.settings import Settings


@dataclass(frozen=True)
class Command:
    """A sub-command, announced under the entry-point group ``voicemesh.commands``."""

    name: str
    summary: str
    add_arguments: Callable[[argparse.ArgumentParser], None]
    run: Callable[[argparse.Namespace, Settings], int]
    """Returns the exit status. VoiceMeshErrors are printed by the frame."""
    tolerant: bool = False
    """Runs with the defaults when the settings are wrong, to say what is wrong with
    them: the error is then in ``options.settings_error``, else None."""


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
