"""What the vendor's libraries print, kept apart from the owner's own words.

sail and the runtime below it report failures in text only, on standard output and
standard error. Both become a file: what is written there by the end of a call has been
written by that call or one beside it, at the price of one lseek. The file outlives an
owner that the libraries end in the middle of a call, as they do where they find
something wrong, and the next owner tells its last lines.
"""

from __future__ import annotations

import ctypes
import os
import re
import sys
import threading

_MOST_KEPT_BYTES = 1 << 20
_FAILURE = re.compile(r"\[(error|critical|fatal)\]|\berr(or)?\b|\bassert|\bfail", re.IGNORECASE)
_PASSED_ON_AT_ONCE = 20
_LINE_BUFFERED = 1  # _IOLBF of stdio.h


class VendorOutput:
    """Takes over file descriptors 1 and 2. ``sys.stdout`` and ``sys.stderr`` go where they went."""

    def __init__(self, path: str) -> None:
        """``path``: the file; ``before`` is what it holds of failures."""
        self._lock = threading.Lock()
        self._seen = 0
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        kept = os.pread(self._file, _MOST_KEPT_BYTES, 0).decode("utf-8", "replace")
        self.before = " | ".join(_failures(kept)[-3:])
        os.ftruncate(self._file, 0)
        sys.stdout.flush()
        sys.stderr.flush()
        sys.stdout = os.fdopen(os.dup(1), "w", buffering=1)
        sys.stderr = os.fdopen(os.dup(2), "w", buffering=1)
        os.dup2(self._file, 1)
        os.dup2(self._file, 2)
        # Line by line: the libraries end the process without a flush.
        libc = ctypes.CDLL(None)
        libc.setvbuf(ctypes.c_void_p.in_dll(libc, "stdout"), None, _LINE_BUFFERED, 0)

    def failures(self) -> list[str]:
        """The lines printed since the last call that speak of a failure; all go to the log."""
        # The length alone, without the lock: asked at every launch, and hardly ever another.
        if os.lseek(self._file, 0, os.SEEK_END) == self._seen:
            return []
        found = self._new_failures()
        for line in found[:_PASSED_ON_AT_ONCE]:
            print("vendor: " + line, file=sys.stderr)
        return found

    def aside(self) -> list[str]:
        """The same of lines that are no client's: neither the log nor the next owner has them.

        Called while nothing else runs on the chip.
        """
        start = self._seen
        found = self._new_failures()
        with self._lock:
            if self._seen > start:
                os.ftruncate(self._file, start)
                self._seen = start
        return found

    def _new_failures(self) -> list[str]:
        with self._lock:
            size = os.fstat(self._file).st_size
            if size == self._seen:
                return []
            text = os.pread(self._file, size - self._seen, self._seen).decode("utf-8", "replace")
            self._seen = size
            if size > _MOST_KEPT_BYTES:
                os.ftruncate(self._file, 0)
                self._seen = 0
        return _failures(text)

    def close(self) -> None:
        """Forget everything: this owner ends in order."""
        os.ftruncate(self._file, 0)


def _failures(text: str) -> list[str]:
    """The lines that speak of a failure."""
    return [line.strip() for line in text.splitlines() if _FAILURE.search(line)]
