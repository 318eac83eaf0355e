"""The queue of decodes: final texts before interim ones, none longer than wanted."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable

from voicemesh.aio import cancel_and_wait
from voicemesh.errors import Unavailable
from voicemesh.work_counter import WorkCounter
from voicemesh.workers import ThreadWorker
from voicemesh_asr.engines.sophon_whisper import metrics
from voicemesh_asr.engines.sophon_whisper.decoding import CancelledDecode
from voicemesh_asr.engines.sophon_whisper.transcriber import Request, Transcription


class TranscriptionJob:
    """A decode that somebody waits for."""

    def __init__(self, request: Callable[[], Request], is_final: bool) -> None:
        """``request`` is asked when the job's turn comes: it then takes the newest audio."""
        self.request = request
        self.is_final = is_final
        self.result: asyncio.Future[Transcription] = asyncio.get_running_loop().create_future()
        self.submitted_s = time.monotonic()
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


class JobQueue:
    """One decode at a time. Bounded by its users: a speaker has one job at most."""

    def __init__(
        self, worker: ThreadWorker, run: Callable[[Request, bool, WorkCounter], Transcription]
    ) -> None:
        """``run(request, is_final, counter)`` decodes, in the worker's thread."""
        self._worker = worker
        self._run = run
        self._finals: deque[TranscriptionJob] = deque()
        self._interims: deque[TranscriptionJob] = deque()
        self._running: TranscriptionJob | None = None
        self._wanted = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._closed = False

    def start(self) -> None:
        """Begin to work."""
        self._task = asyncio.create_task(self._work(), name="whisper jobs")

    async def close(self) -> None:
        """Stop; who waits for a job is told so."""
        self._closed = True
        for job in (*self._finals, *self._interims, *filter(None, [self._running])):
            job.fail(_stopped())
        if self._task is not None:
            await cancel_and_wait(self._task)

    def submit(self, job: TranscriptionJob) -> None:
        """Queue a job. A final one makes an interim one that is being decoded give way."""
        if self._closed:
            job.fail(_stopped())
            return
        (self._finals if job.is_final else self._interims).append(job)
        if job.is_final and self._running is not None and not self._running.is_final:
            self._running.cancel()
        self._wanted.set()

    async def _work(self) -> None:
        while True:
            await self._wanted.wait()
            waiting = self._finals or self._interims
            if not waiting:
                self._wanted.clear()
                continue
            job = waiting.popleft()
            if not job.counter.cancelled:
                self._running = job
                try:
                    await self._decode(job)
                finally:
                    self._running = None

    async def _decode(self, job: TranscriptionJob) -> None:
        metrics.QUEUE.labels(job.kind).observe(time.monotonic() - job.submitted_s)
        try:
            result = await self._worker.run(self._run, job.request(), job.is_final, job.counter)
        except CancelledDecode:
            metrics.JOBS.labels(job.kind, "cancelled").inc()
        except Exception as error:
            metrics.JOBS.labels(job.kind, "failed").inc()
            job.fail(error)
        else:
            metrics.JOBS.labels(job.kind, "done").inc()
            if not job.result.done():
                job.result.set_result(result)


def _stopped() -> Unavailable:
    return Unavailable("the recogniser was stopped; open another stream", retry_after_ms=1000)
