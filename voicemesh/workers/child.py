"""The child side of a ProcessWorker.

It is run as ``python -m voicemesh.workers.child FD MODULE:FACTORY CORES``.

The child builds its engine with the factory and serves one call at a time. It
ends when its socket closes, and the kernel ends it when its parent dies.
"""

from __future__ import annotations

import importlib
import logging
import math
import select
import signal
import socket
import sys
import time
from collections import deque
from contextlib import suppress
from typing import Any

from voicemesh import logs
from voicemesh.cores import numbers, pin_thread
from voicemesh.errors import EngineError, VoiceMeshError
from voicemesh.workers import wire
from voicemesh.workers.parent_death import die_with_parent

log = logging.getLogger(__name__)

# A call that was cancelled makes one item more, or a few; nobody counts further.
_REMEMBERED = 64


def _portable(error: Exception) -> Exception:
    """An exception that the parent can unpickle: ours as it is, others as text."""
    if isinstance(error, VoiceMeshError):
        return error
    log.error("the engine failed", exc_info=error)
    return EngineError(f"{type(error).__name__}: {error}")


class _Child:
    def __init__(self, sock: socket.socket) -> None:
        self._socket = sock
        self._wanted = True
        self._made_s: deque[float] = deque(maxlen=_REMEMBERED)
        """When the newest items of the call were made; infinity: after the cancel had come."""

    def _send(self, *message: Any) -> None:
        self._socket.sendall(wire.encode(message))

    def _emit(self, item: Any) -> bool:
        """Send an item of a stream; False when nobody wants more."""
        made_s = time.monotonic()
        if self._wanted and select.select([self._socket], [], [], 0)[0]:
            wire.receive(self._socket)  # During a call the parent says nothing but cancel.
            self._wanted = False
        # The parent may be kept from looking at its clock for long after its cancel is here.
        self._made_s.append(made_s if self._wanted else math.inf)
        if self._wanted:
            self._send("item", item)
        return self._wanted

    def _answer_cancel(self) -> None:
        """Tell when the items were made: the parent knows since when it wanted no more."""
        self._send("cancelled", tuple(self._made_s))

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
            if message[0] == "cancel":  # It crossed the result that it meant to cancel.
                self._answer_cancel()
                continue
            _, method, args, wants_stream = message
            self._wanted = True
            self._made_s.clear()
            answer: tuple[str, Any]
            kwargs = {"emit": self._emit} if wants_stream else {}
            try:
                result = getattr(engine, method)(*args, **kwargs)
            except Exception as error:
                answer = ("error", _portable(error))
            else:
                answer = ("result", result)
            if self._wanted:
                self._send(*answer)
            else:
                self._answer_cancel()


def main() -> None:
    """Entry point of the child process."""
    # Our parent decides when we end: a signal to the whole group must not stop
    # the engine in the middle of a drain.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    die_with_parent()
    logs.inherit()
    fd, target, cores = int(sys.argv[1]), sys.argv[2], sys.argv[3]
    pin_thread(numbers(cores))  # Before the engine's libraries start threads.
    with suppress(EOFError, BrokenPipeError, ConnectionResetError):  # The parent is gone.
        _Child(socket.socket(fileno=fd)).serve(target)


if __name__ == "__main__":
    main()
