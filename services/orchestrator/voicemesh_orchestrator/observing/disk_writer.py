"""A thread that writes to the disk, so that no conversation waits for it."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable

log = logging.getLogger(__name__)

Job = Callable[[], None]


class DiskWriter:
    """Does jobs in their order. The bytes that wait are bounded: more are refused."""

    def __init__(self, capacity_bytes: int) -> None:
        """Starts the thread."""
        self._capacity = capacity_bytes
        self._jobs: deque[tuple[Job, int]] = deque()
        self._waiting_bytes = 0
        self._news = threading.Condition()
        self._closed = False
        # A daemon: a disk that hangs must not keep the process alive.
        self._thread = threading.Thread(target=self._run, name="recorder", daemon=True)
        self._thread.start()

    def put(self, job: Job, size_bytes: int = 0) -> bool:
        """Have ``job`` done; False when the disk is too far behind for ``size_bytes`` more.

        A job of no size is always taken: it begins or ends something.
        """
        with self._news:
            if size_bytes and self._waiting_bytes + size_bytes > self._capacity:
                return False
            self._jobs.append((job, size_bytes))
            self._waiting_bytes += size_bytes
            self._news.notify()
            return True

    def _run(self) -> None:
        while True:
            with self._news:
                while not self._jobs:
                    if self._closed:
                        return
                    self._news.wait()
                job, size_bytes = self._jobs.popleft()
            try:
                job()
            except Exception:
                log.exception("something could not be written")
            with self._news:
                self._waiting_bytes -= size_bytes

    def close(self, within_s: float) -> None:
        """Wait until all jobs are done, at most that long; blocks."""
        with self._news:
            self._closed = True
            self._news.notify()
        self._thread.join(within_s)
