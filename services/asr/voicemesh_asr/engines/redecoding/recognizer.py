"""An engine of one network whose speakers take turns."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path

from voicemesh.errors import Busy
from voicemesh.v1 import asr_pb2, common_pb2
from voicemesh.workers import ThreadWorker
from voicemesh_asr.engines.engine import SessionOptions
from voicemesh_asr.engines.redecoding.jobs import JobQueue
from voicemesh_asr.engines.redecoding.session import Jobs, RedecodingSession, Streaming
from voicemesh_asr.engines.redecoding.transcription import Transcribe


class RedecodingRecognizer(ABC):
    """See Recognizer. An engine says how its network is loaded."""

    def __init__(
        self,
        name: str,
        folder: Path,
        languages: Sequence[str],
        streaming: Streaming,
        *,
        phrase_hints: bool,
        workers: int,
        decodes_at_once: int,
        cores: Sequence[int] = (),
    ) -> None:
        """Nothing is loaded before ``load``.

        ``name`` is the engine's, ``folder`` the model's, ``languages`` are BCP-47 tags;
        ``phrase_hints``: whether expected phrases change what is heard; ``workers`` speakers are
        heard at once; ``decodes_at_once`` threads work on ``cores``.
        """
        self.rate_hertz = streaming.rate_hertz
        self.model = folder.name
        self.capabilities = asr_pb2.RecognizerCapabilities(
            languages=[common_pb2.Language(language_code=tag) for tag in languages],
            sample_rates_hertz=[self.rate_hertz],
            interim_results=True,
            punctuation=True,
            phrase_hints=phrase_hints,
            max_concurrent_streams=workers,
        )
        self._name = name
        self._folder = folder
        self._streaming = streaming
        self._workers = workers
        self._threads = tuple(ThreadWorker(f"{name} {n}", cores) for n in range(decodes_at_once))
        self._jobs: Jobs | None = None
        self._speakers = 0

    @abstractmethod
    def load_network(self) -> Transcribe:
        """Load the network and try it, in a thread; what decodes from now on."""

    async def load(self) -> None:
        """See Recognizer."""
        self._jobs = JobQueue(self._threads, await self._threads[0].run(self.load_network))
        self._jobs.start()

    async def open(self, options: SessionOptions) -> RedecodingSession:
        """Hear one more speaker; Busy when all places are taken."""
        assert self._jobs is not None, "load comes first"
        if self._speakers >= self._workers:
            raise Busy(
                f"all {self._workers} places are taken; "
                f"raise asr.{self._name}.workers, or try again later",
                retry_after_ms=1000,
            )
        self._speakers += 1
        return RedecodingSession(self._streaming, options, self._jobs, self._leave)

    def _leave(self) -> None:
        self._speakers -= 1

    async def close(self) -> None:
        """Stop decoding."""
        if self._jobs is not None:
            await self._jobs.close()
        for thread in self._threads:
            thread.close()
