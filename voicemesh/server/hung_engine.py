"""The end of a process whose engine hangs: its thread cannot be stopped, only the process can."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable

from voicemesh.workers.hang import HANG_S
from voicemesh.workers.thread import longest_call

log = logging.getLogger(__name__)

EXIT_STATUS = 1
_LOOKS = 12  # In the time that counts as a hang.


async def end_when_an_engine_hangs(
    ready: Callable[[], bool],
    hang_s: float = HANG_S,
    end: Callable[[int], object] = os._exit,
) -> None:
    """Watch the threads of this process's engines; end it, for a supervisor to start another.

    ``ready``: loading is no hang, however long it takes. ``end`` does not return: an
    orderly exit would wait for the thread.
    """
    while True:
        await asyncio.sleep(hang_s / _LOOKS)
        took_s, name = longest_call()
        if ready() and took_s > hang_s:
            log.critical("the engine's thread %s has hung for %.0f s: ending", name, took_s)
            logging.shutdown()
            end(EXIT_STATUS)
            return
