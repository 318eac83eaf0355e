"""The PocketSphinx engine: a pool of child processes, one for each speaker."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import cast

from voicemesh.audio import Samples
from voicemesh.errors import Busy
from voicemesh.v1 import asr_pb2, common_pb2
from voicemesh.workers import ProcessPool, ProcessWorker
from voicemesh_asr.engines.engine import Hypothesis, Phrase, SessionOptions
from voicemesh_asr.engines.pocketsphinx.settings import PocketSphinxSettings

log = logging.getLogger(__name__)

_CHILD = "voicemesh_asr.engines.pocketsphinx.decoders:make"


class PocketSphinxSession:
    """One speaker and the child process that hears them."""

    def __init__(self, pool: ProcessPool, worker: ProcessWorker) -> None:
        """``worker`` has been leased from ``pool``."""
        self._pool = pool
        self._worker: ProcessWorker | None = worker

    async def _call(self, method: str, *args: object) -> object:
        assert self._worker is not None, "the session is closed"
        return await self._worker.call(method, *args)

    async def accept(self, samples: Samples) -> Hypothesis | None:
        """Hear more of the utterance; the running text."""
        return cast("Hypothesis | None", await self._call("accept", samples.tobytes()))

    async def finish(self) -> Hypothesis:
        """The best text for the utterance so far."""
        return cast(Hypothesis, await self._call("finish"))

    async def resume(self) -> None:
        """The utterance goes on; decodes up to ``replay_limit_s`` of it again."""
        await self._call("resume")

    async def reset(self) -> None:
        """Forget the utterance."""
        await self._call("reset")

    async def set_phrases(self, phrases: Sequence[Phrase]) -> None:
        """Replace the speaker's phrases; builds another grammar."""
        await self._call("set_phrases", tuple(phrases))

    async def close(self) -> None:
        """Give the child back to the pool, which replaces it if it has died."""
        if self._worker is not None:
            worker, self._worker = self._worker, None
            self._pool.release(worker)


class PocketSphinx:
    """The engine."""

    rate_hertz = 16_000
    model = "en-us (PTM, 5000 senones)"

    def __init__(self, config: PocketSphinxSettings) -> None:
        """Nothing is loaded before ``load``."""
        self._size = config.workers
        self.capabilities = asr_pb2.RecognizerCapabilities(
            languages=[common_pb2.Language(language_code="en")],
            sample_rates_hertz=[self.rate_hertz],
            interim_results=True,
            word_times=True,
            phrase_hints=config.phrase_margin > 0,
            max_concurrent_streams=config.workers,
        )
        self._pool = ProcessPool(_CHILD, config, "asr decoder", config.workers, config.cores)

    async def load(self) -> None:
        """Start all children, a second or two."""
        await self._pool.start()

    async def open(self, options: SessionOptions) -> PocketSphinxSession:
        """Reserve a child; Busy when every one has a speaker."""
        try:
            worker = self._pool.lease()
        except Busy as busy:
            raise Busy(
                f"none of the {self._size} decoders is free (one may be restarting after a crash); "
                "try again shortly, or raise asr.pocketsphinx.workers",
                retry_after_ms=busy.retry_after_ms,
            ) from None
        session = PocketSphinxSession(self._pool, worker)
        try:
            await worker.call("open", options.phrases)
        except BaseException:
            await session.close()
            raise
        return session

    async def close(self) -> None:
        """End the children."""
        await self._pool.close()
