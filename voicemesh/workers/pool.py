"""A fixed number of ProcessWorkers that replace themselves when they die."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from voicemesh.aio import TaskSet, uninterrupted
from voicemesh.backoff import Backoff
from voicemesh.cores import check_cores
from voicemesh.errors import Busy, EngineError, VoiceMeshError
from voicemesh.workers.process import ProcessWorker

log = logging.getLogger(__name__)

_FIRST_BACKOFF_S = 0.2
_LONGEST_BACKOFF_S = 10.0
_MAX_WAITING = 256


class ProcessPool:
    """``size`` children of one kind, leased one at a time."""

    def __init__(
        self, target: str, config: Any, name: str, size: int, cores: Sequence[int] = ()
    ) -> None:
        """See ProcessWorker for ``target``, ``config`` and ``cores``."""
        check_cores(cores)
        self._target = target
        self._config = config
        self.name = name
        self.size = size
        self._cores = tuple(cores)
        self._count = 0
        self._idle: list[ProcessWorker] = []
        self._leased: set[ProcessWorker] = set()
        self._leaving: set[ProcessWorker] = set()
        """Those that nobody gets any more, until their ends have been waited for."""
        self._waiting: deque[asyncio.Future[ProcessWorker]] = deque()
        self._tasks = TaskSet()
        self._closed = False

    @property
    def in_use(self) -> int:
        """The number of leased workers."""
        return len(self._leased)

    @property
    def waiting(self) -> int:
        """The number of borrowers that wait their turn."""
        return len(self._waiting)

    async def start(self) -> None:
        """Start all workers; the first failure is raised."""
        workers = [self._new() for _ in range(self.size)]
        results = await asyncio.gather(*(w.start() for w in workers), return_exceptions=True)
        failures = [r for r in results if isinstance(r, BaseException)]
        if failures:
            await asyncio.gather(*(w.close() for w in workers))
            raise failures[0]
        self._idle.extend(workers)
        for worker in workers:
            self._watch(worker)

    def _watch(self, worker: ProcessWorker) -> None:
        self._tasks.start(self._replace_if_idle_when_ended(worker), f"watch {worker.name}")

    async def _replace_if_idle_when_ended(self, worker: ProcessWorker) -> None:
        """Whoever holds a leased worker learns of its end by themselves."""
        await worker.ended()
        if worker in self._idle:
            self._idle.remove(worker)
            self._replace(worker)

    def _new(self) -> ProcessWorker:
        self._count += 1
        name = f"{self.name}-{self._count}"
        return ProcessWorker(self._target, self._config, name, self._cores)

    def lease(self) -> ProcessWorker:
        """A worker for as long as the caller likes; Busy at once when none is free."""
        while self._idle:
            worker = self._idle.pop()
            if worker.alive:
                self._leased.add(worker)
                return worker
            self._replace(worker)
        raise Busy(f"all {self.size} workers of {self.name} are taken", retry_after_ms=1000)

    def release(self, worker: ProcessWorker) -> None:
        """Give a leased worker back; a dead one is replaced."""
        self._leased.discard(worker)
        if self._closed:
            self._leaving.add(worker)
        elif worker.alive:
            self._offer(worker)
        else:
            self._replace(worker)

    @asynccontextmanager
    async def borrow(self) -> AsyncIterator[ProcessWorker]:
        """A worker for one piece of work; waits its turn, first come first served."""
        worker = await self._next_free()
        try:
            yield worker
        finally:
            self.release(worker)

    async def _next_free(self) -> ProcessWorker:
        if not self._waiting:
            try:
                return self.lease()
            except Busy:
                pass
        if len(self._waiting) >= _MAX_WAITING:
            raise Busy(f"{_MAX_WAITING} callers wait for {self.name} already")
        turn: asyncio.Future[ProcessWorker] = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        try:
            return await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled() and turn.exception() is None:
                self.release(turn.result())
            raise

    def _offer(self, worker: ProcessWorker) -> None:
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                self._leased.add(worker)
                turn.set_result(worker)
                return
        self._idle.append(worker)

    def _replace(self, dead: ProcessWorker) -> None:
        log.warning("%s has died; starting another", dead.name)
        self._leaving.add(dead)
        self._tasks.start(self._start_another(dead), f"replace {dead.name}")

    async def _start_another(self, dead: ProcessWorker) -> None:
        await uninterrupted(dead.close(), f"end of {dead.name}")
        self._leaving.discard(dead)
        backoff = Backoff(_FIRST_BACKOFF_S, _LONGEST_BACKOFF_S)
        while not self._closed:
            worker = self._new()
            try:
                await worker.start()
            except (VoiceMeshError, OSError) as error:
                wait_s = backoff.next_s()
                log.error("%s did not start: %s; next try in %.1f s", worker.name, error, wait_s)
                await asyncio.sleep(wait_s)
            else:
                self._watch(worker)
                self._offer(worker)
                return

    async def close(self) -> None:
        """End all children; whoever waits gets an EngineError."""
        self._closed = True
        await self._tasks.close()
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_exception(EngineError(f"{self.name} is closing"))
        everybody = {*self._idle, *self._leased, *self._leaving}
        await asyncio.gather(*(worker.close() for worker in everybody))
