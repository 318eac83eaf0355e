"""What wakes a robot by hand: the Enter key, or SIGUSR1."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Callable
from contextlib import suppress

Wake = Callable[[str], None]


def _file_of_input() -> int | None:
    with suppress(ValueError, OSError, AttributeError):  # Closed, or no file at all.
        return sys.stdin.fileno()
    return None


def install_triggers(wake: Wake) -> Callable[[], None]:
    """Call ``wake`` with the cause at every trigger; returns what removes them."""
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGUSR1, wake, "signal")
    file = _file_of_input()

    def key() -> None:
        assert file is not None
        if os.read(file, 4096):
            wake("key")
        else:
            loop.remove_reader(file)  # Nobody can type any more.

    # A file or /dev/null cannot be waited for; then only the signal wakes.
    if file is not None:
        try:
            loop.add_reader(file, key)
        except (OSError, ValueError):
            file = None

    def remove() -> None:
        loop.remove_signal_handler(signal.SIGUSR1)
        if file is not None:
            loop.remove_reader(file)

    return remove
