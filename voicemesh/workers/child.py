"""The child side of a ProcessWorker: ``python -m voicemesh.workers.child FD MODULE:FACTORY``.

The child builds its engine with the factory and serves one call at a time. It
ends when its socket closes, and the kernel ends it when its parent dies.
"""

from __future__ import annotations

import importlib
import select
import signal
import socket
import sys
import traceback
from contextlib import suppress
from typing import Any

from voicemesh.errors import EngineError, VoiceMeshError
from voicemesh.lifeline import die_with_parent
from voicemesh.workers import wire


def _portable(error: Exception) -> Exception:
    """An exception that the parent can unpickle: ours as it is, others as text."""
    if isinstance(error, VoiceMeshError):
        return error
    traceback.print_exception(error)
    return EngineError(f"{type(error).__name__}: {error}")


class _Child:
    def __init__(self, sock: socket.socket) -> None:
        self._socket = sock
        self._cancelled = False

    def _send(self, *message: Any) -> None:
        self._socket.sendall(wire.encode(message))

    def _emit(self, item: Any) -> bool:
        """Send an item of a stream; False when nobody wants more."""
        if not self._cancelled and select.select([self._socket], [], [], 0)[0]:
            # During a call the parent says nothing but cancel.
            wire.receive(self._socket)
            self._cancelled = True
        if not self._cancelled:
            self._send("item", item)
        return not self._cancelled

    def serve(self, target: str) -> None:
        """Build the engine and serve calls until told to exit."""
        _, config = wire.receive(self._socket)
        module, _, factory = target.partition(":")
        try:
            engine = getattr(importlib.import_module(module), factory)(config)
        except Exception as error:
            self._send("error", _portable(error))
            return
        self._send("ready")
        while (message := wire.receive(self._socket))[0] != "exit":
            if message[0] == "cancel":
                continue  # It crossed the result that it meant to cancel.
            _, method, args, wants_stream = message
            self._cancelled = False
            kwargs = {"emit": self._emit} if wants_stream else {}
            try:
                result = getattr(engine, method)(*args, **kwargs)
            except Exception as error:
                self._send("error", _portable(error))
            else:
                self._send("result", result)


def main() -> None:
    """Entry point of the child process."""
    # Our parent decides when we end: a signal to the whole group must not stop
    # the engine in the middle of a drain.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    die_with_parent()
    fd, target = int(sys.argv[1]), sys.argv[2]
    with suppress(EOFError, BrokenPipeError, ConnectionResetError):  # The parent is gone.
        _Child(socket.socket(fileno=fd)).serve(target)


if __name__ == "__main__":
    main()
