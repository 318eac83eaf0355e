"""The queue of decodes: final texts before interim ones, none longer than wanted."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from voicemesh.aio import TaskSet
from voicemesh.errors import Unavailable
from voicemesh.work_counter import WorkCounter
from voicemesh.workers import ThreadWorker
from voicemesh_asr.engines.redecoding import metrics

RequestT = TypeVar("RequestT")
ResultT = TypeVar("ResultT")


class CancelledDecode(Exception):
    """Nobody wants the result any more."""


def stop_if_unwanted(counter: WorkCounter) -> None:
    """CancelledDecode where nobody wants the result any more."""
    if counter.cancelled:
        raise CancelledDecode


class TranscriptionJob(Generic[RequestT, ResultT]):
    """A decode that somebody waits for."""

    def __init__(self, request: Callable[[], RequestT], is_final: bool) -> None:
        """``request`` is asked when the job's turn comes: it then takes the newest audio."""
        self.request = request
        self.is_final = is_final
        self.result: asyncio.Future[ResultT] = asyncio.get_running_loop().create_future()
        self.submitted_s = time.monotonic()
        self.took_s = 0.0
        """Seconds of the decode itself, once it is done."""
        self.counter = WorkCounter()
        """Counted by the thread that decodes."""

    @property
    def kind(self) -> str:
        """Its label in metrics."""
        return "final" if self.is_final else "interim"

    def cancel(self) -> None:
        """Nobody wants it any more; a decode under way ends before its next token."""
        self.counter.cancel()
        self.result.cancel()

    def fail(self, error: Exception) -> None:
        """It cannot be done; a decode under way ends before its next token."""
        self.counter.cancel()
        if not self.result.done():
            self.result.set_exception(error)


class JobQueue(Generic[RequestT, ResultT]):
    """One decode at a time for each worker. Bounded by its users: a speaker has one job at most."""

    def __init__(
        self,
        workers: Sequence[ThreadWorker],
        run: Callable[[RequestT, bool, WorkCounter], ResultT],
    ) -> None:
        """``run(request, is_final, counter)`` decodes, in a worker's thread."""
        self._workers = tuple(workers)
        self._run = run
        self._finals: deque[TranscriptionJob[RequestT, ResultT]] = deque()
        self._interims: deque[TranscriptionJob[RequestT, ResultT]] = deque()
        self._running: list[TranscriptionJob[RequestT, ResultT]] = []
        self._wanted = asyncio.Event()
        self._tasks = TaskSet()
        self._closed = False

    def start(self) -> None:
        """Begin to work."""
        for worker in self._workers:
            self._tasks.start(self._work(worker), f"decodes of {worker.name}")

    async def close(self) -> None:
        """Stop; who waits for a job is told so."""
        self._closed = True
        for job in (*self._finals, *self._interims, *self._running):
            job.fail(_stopped())
        await self._tasks.close()

    def submit(self, job: TranscriptionJob[RequestT, ResultT]) -> None:
        """Queue a job. Where all workers are busy, an interim decode gives way to a final one."""
        if self._closed:
            job.fail(_stopped())
            return
        (self._finals if job.is_final else self._interims).append(job)
        if job.is_final and len(self._running) == len(self._workers):
            self._let_one_give_way()
        self._wanted.set()

    def _let_one_give_way(self) -> None:
        """The newest interim decode that is under way: least is lost of it."""
        for running in reversed(self._running):
            if not running.is_final and not running.counter.cancelled:
                running.cancel()
                return

    async def _work(self, worker: ThreadWorker) -> None:
        while True:
            await self._wanted.wait()
            waiting = self._finals or self._interims
            if not waiting:
                self._wanted.clear()
                continue
            job = waiting.popleft()
            if not job.counter.cancelled:
                self._running.append(job)
                try:
                    await self._decode(worker, job)
                finally:
                    self._running.remove(job)

    async def _decode(self, worker: ThreadWorker, job: TranscriptionJob[RequestT, ResultT]) -> None:
        began = time.monotonic()
        metrics.QUEUE.labels(job.kind).observe(began - job.submitted_s)
        try:
            result = await worker.run(self._counted, job.request(), job.is_final, job.counter)
        except CancelledDecode:
            metrics.JOBS.labels(job.kind, "cancelled").inc()
        except Exception as error:
            metrics.JOBS.labels(job.kind, "failed").inc()
            job.fail(error)
        else:
            job.took_s = time.monotonic() - began
            metrics.JOBS.labels(job.kind, "done").inc()
            metrics.DECODE.labels(job.kind).observe(job.took_s)
            if not job.result.done():
                job.result.set_result(result)

    def _counted(self, request: RequestT, is_final: bool, counter: WorkCounter) -> ResultT:
        """In the worker's thread."""
        try:
            return self._run(request, is_final, counter)
        finally:
            if counter.cancelled:
                metrics.LATE_TOKENS.observe(counter.late)


def _stopped() -> Unavailable:
    return Unavailable("the recogniser was stopped; open another stream", retry_after_ms=1000)
