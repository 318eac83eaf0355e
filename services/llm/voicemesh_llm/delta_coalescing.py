"""Joins small deltas: messages are the cost of a stream, not bytes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

_CLAUSE_ENDS = frozenset(".,;:!?…。，；：！？、\n")


class DeltaCoalescer:
    """Sends the first text at once, then at the end of a clause or after a short while.

    The first delta starts the synthesis of the reply, and a clause lets it go on:
    somebody waits for these. Nobody waits for the words between them.
    """

    def __init__(self, send: Callable[[str], None], flush_s: float) -> None:
        """``send`` takes joined text; ``flush_s`` is the longest that text is kept."""
        self._send = send
        self._flush_s = flush_s
        self._waiting: list[str] = []
        self._timer: asyncio.TimerHandle | None = None
        self._failure: Exception | None = None
        self._first = True

    def feed(self, text: str) -> None:
        """Take more text. Raises what ``send`` raised on an earlier, timed flush."""
        if self._failure is not None:
            raise self._failure
        if not text:
            return
        self._waiting.append(text)
        if self._first or text.rstrip(" ")[-1:] in _CLAUSE_ENDS:
            self.flush()
        elif self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(self._flush_s, self._on_timer)

    def flush(self) -> None:
        """Send what waits."""
        self.close()
        if self._waiting:
            text = "".join(self._waiting)
            self._waiting.clear()
            self._first = False
            self._send(text)

    def close(self) -> None:
        """Send nothing more by timer."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _on_timer(self) -> None:
        self._timer = None
        try:
            self.flush()
        except Exception as error:
            # A timer has no caller: the next feed reports it.
            self._failure = error
