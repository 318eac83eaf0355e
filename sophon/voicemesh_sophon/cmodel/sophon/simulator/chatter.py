"""Keeps what the simulator prints away from the process's own standard output.

The vendor's libraries write to file descriptor 1, a line or more for each launch. They
keep writing to it, but it becomes a file in memory; ``sys.stdout`` goes on to where it
went before. What the libraries said last is the reason in an error message. Where
``sys.stdout`` does not write to descriptor 1, somebody has seen to it already, as the chip
owner has, and nothing is done.
"""

from __future__ import annotations

import ctypes
import os
import sys
from typing import Optional, TextIO

_LIMIT = 1 << 20  # bytes; beyond it, what was printed is forgotten
_LAST_LINES = 3


class Chatter:
    """File descriptor 1 of this process, taken over for the vendor's libraries."""

    def __init__(self) -> None:
        self._c = ctypes.CDLL(None)
        self._file: Optional[int] = None
        if not _writes_to_1(sys.stdout):
            return
        self._file = os.memfd_create("sophon-simulator-output", os.MFD_CLOEXEC)
        sys.stdout.flush()
        own = os.fdopen(os.dup(1), "w", buffering=1, encoding=sys.stdout.encoding)
        os.dup2(self._file, 1)
        sys.stdout = own

    def clear(self) -> None:
        """Forgets what was printed until now."""
        if self._file is not None:
            self._c.fflush(None)
            os.ftruncate(self._file, 0)
            os.lseek(self._file, 0, os.SEEK_SET)

    def trim(self) -> None:
        """Forgets what was printed if it has grown large."""
        if self._file is not None and os.fstat(self._file).st_size > _LIMIT:
            self.clear()

    def last(self) -> str:
        """The last lines that were printed, on one line."""
        if self._file is None:
            return "its own words are on standard output"
        self._c.fflush(None)
        text = os.pread(self._file, _LIMIT, 0).decode("utf-8", "replace")
        lines = [line.strip() for line in text.splitlines() if line.strip()]
        return " | ".join(lines[-_LAST_LINES:]) or "it gave no reason"


def _writes_to_1(stream: TextIO) -> bool:
    try:
        return stream.fileno() == 1
    except (OSError, ValueError):
        return False
