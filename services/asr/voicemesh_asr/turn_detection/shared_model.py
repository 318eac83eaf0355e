"""One model for all speakers, in a thread of its own, with a deadline for each answer."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from voicemesh.errors import EngineError
from voicemesh.workers import ThreadWorker

log = logging.getLogger(__name__)

M = TypeVar("M")
A = TypeVar("A")

# An answer that comes later than the shortest silence is of no use.
_DEADLINE_S = 0.3


class SharedModel(Generic[M]):
    """Loads a model and asks it. Who asks gets None where it fails or is late."""

    def __init__(
        self,
        name: str,
        make: Callable[[], M],
        first: Callable[[M], object],
        cores: Sequence[int] = (),
    ) -> None:
        """``make`` loads the model, ``first`` asks it once; both run in the thread.

        ``name`` is for threads and logs; ``cores`` as of ThreadWorker.
        """
        self._name = name
        self._make = make
        self._first = first
        self._worker = ThreadWorker(name, cores)
        self._model: M | None = None

    @property
    def model(self) -> M:
        """The model, once it is loaded."""
        if self._model is None:
            raise EngineError(f"asr: the {self._name} is not loaded")
        return self._model

    async def load(self) -> None:
        """Load the model, unless it is there, and let it answer once; raises why it cannot."""
        if self._model is not None:
            return
        model = await self._worker.run(self._make)
        await self._worker.run(self._first, model)
        self._model = model

    async def ask(self, question: Callable[[M], A]) -> A | None:
        """What ``question`` finds out from the model; None where it fails or is late."""
        try:
            async with asyncio.timeout(_DEADLINE_S):
                return await self._worker.run(question, self.model)
        except TimeoutError:
            log.warning("the %s took longer than %g s; done without it", self._name, _DEADLINE_S)
        except Exception:  # A plug-in's bug must not cost the turn.
            log.exception("the %s failed; done without it", self._name)
        return None

    def close(self) -> None:
        """Free the thread."""
        self._worker.close()
