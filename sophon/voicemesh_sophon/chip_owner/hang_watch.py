"""A chip that hangs: a step on it does not end, and no thread that waits for it can be stopped.

Only a new process helps, and the supervisor starts one when this one has ended. Two things
are looked for:

* A step that holds the chip for longer than any should, and Python goes on beside it.
* Python that does not go on, because the vendor's code holds its lock, as sail does while
  it loads. Then no thread of ours can look, but a timer of faulthandler's needs no Python:
  it prints where all threads are, and ends the process.
"""

from __future__ import annotations

import faulthandler
import sys
import threading
from typing import Callable

from .scheduler import Scheduler

_LOOKS = 10
"""In the time that a launch may take."""
_CURE = "the chip hangs; look at bm-smi and dmesg, and reboot the board or power-cycle the card"


class HangWatch:
    """Looks at a scheduler until it is closed."""

    def __init__(
        self,
        scheduler: Scheduler,
        launch_within_s: float,
        load_within_s: float,
        hung: Callable[[str], None],
    ) -> None:
        """Begins at once. ``hung`` is called once, with what has not ended."""
        self._scheduler = scheduler
        self._limits_s = launch_within_s, load_within_s
        self._pause_s = launch_within_s / _LOOKS
        self._hung = hung
        self._closed = threading.Event()
        self._arm()
        self._thread = threading.Thread(target=self._look, name="hang watch", daemon=True)
        self._thread.start()

    def _arm(self) -> None:
        # Longer than loading may take: what can be told in words is told first.
        silence_s = max(self._limits_s) + 2 * self._pause_s
        faulthandler.dump_traceback_later(silence_s, exit=True, file=sys.stderr)

    def _look(self) -> None:
        found = ""
        while not found and not self._closed.wait(self._pause_s):
            self._arm()
            found = self._scheduler.overdue(*self._limits_s)
        if found:
            self._hung(f"{found}: {_CURE}")

    def close(self) -> None:
        """Look no more."""
        self._closed.set()
        self._thread.join()
        faulthandler.cancel_dump_traceback_later()
