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


def write_json(path: Path, value: Any) -> None:
    """Write what a command was asked to leave in a file; InvalidArgument where it cannot."""
    text = json.dumps(value, ensure_ascii=False, indent=2)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{text}\n", encoding="utf-8")
    except OSError as error:
        raise InvalidArgument(
            f"{path} cannot be written ({error.strerror}); name another place"
        ) from None
