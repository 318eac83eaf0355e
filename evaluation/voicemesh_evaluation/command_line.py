"""What the commands of evaluation share: counts and addresses as arguments, lines of progress."""

from __future__ import annotations

import argparse
import sys

from voicemesh.targets import checked_target


def at_least_one(text: str) -> int:
    """An argument that counts from 1."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 1 on")
    return int(text)


def service_address(text: str) -> str:
    """An argument that is the address of a service."""
    try:
        return checked_target(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def write_line(line: str) -> None:
    """Print a line at once."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()
