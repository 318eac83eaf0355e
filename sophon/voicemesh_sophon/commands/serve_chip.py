"""``voicemesh serve-chip DEVICE``: own a chip in this process."""

from __future__ import annotations

import argparse
import os

from voicemesh.errors import SettingsError
from voicemesh.settings import Settings
from voicemesh_sophon.owner_process import owner_command
from voicemesh_sophon.placing.placement import devices_of


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """See CommandModule."""
    parser.add_argument(
        "device",
        type=int,
        nargs="?",
        default=0,
        help="the runtime's number of the chip, as `voicemesh plan` prints it; default: 0",
    )


def run(options: argparse.Namespace, settings: Settings) -> int:
    """See CommandModule."""
    command = owner_command(devices_of(settings), options.device)
    try:
        # The owner may need another Python than this one, so it takes this one's place.
        os.execv(command[0], command)
    except OSError as error:
        raise SettingsError(
            f"{command[0]} cannot be started ({error.strerror}); set devices.owner_python to the "
            "Python that has the vendor's sophon.sail",
            field="devices.owner_python",
        ) from None
