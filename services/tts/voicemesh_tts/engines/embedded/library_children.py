"""The children of one native library, started when somebody first wants them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from voicemesh.errors import EngineError
from voicemesh.workers import ProcessPool, ProcessWorker
from voicemesh_tts.engines.embedded.voice_process import VoiceProcessConfig
from voicemesh_tts.engines.engine import Voice

_VOICE_PROCESS = "voicemesh_tts.engines.embedded.voice_process"


class LibraryChildren:
    """So many processes that hold a library, or none while nobody wants them."""

    def __init__(
        self,
        library: str,
        config: VoiceProcessConfig,
        name: str,
        size: int,
        cores: tuple[int, ...],
    ) -> None:
        """``library``: the function of the child's module that loads it; ``cores``: its own."""
        self._target = f"{_VOICE_PROCESS}:{library}"
        self._config = config
        self._name = name
        self._size = size
        self._cores = cores
        self._pool: ProcessPool | None = None
        self._starting = asyncio.Lock()
        self._closed = False

    async def voices(self) -> Sequence[Voice]:
        """All voices of the library; EngineMissing where it is not installed."""
        async with self.borrow() as worker:
            voices: list[Voice] = await worker.call("voices")
        return voices

    @asynccontextmanager
    async def borrow(self) -> AsyncIterator[ProcessWorker]:
        """A child for one piece of work; waits its turn, first come first served."""
        async with self._starting:
            pool = self._pool or await self._started()
        async with pool.borrow() as worker:
            yield worker

    async def _started(self) -> ProcessPool:
        if self._closed:
            raise EngineError(f"{self._name} is closing")
        pool = ProcessPool(self._target, self._config, self._name, self._size, self._cores)
        await pool.start()
        self._pool = pool
        return pool

    async def rest(self) -> None:
        """End the children, which must be idle, until somebody wants them again."""
        async with self._starting:
            pool, self._pool = self._pool, None
            if pool is not None:
                await pool.close()

    async def close(self) -> None:
        """End the children for good."""
        self._closed = True
        await self.rest()
