"""The frame of the ``voicemesh`` command: what a room announces as a command."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass

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
