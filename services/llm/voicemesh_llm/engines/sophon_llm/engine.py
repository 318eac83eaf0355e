"""The sophon-llm engine: a worker thread that pulls replies, and their cancellation."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from typing import ParamSpec, TypeVar

from voicemesh.errors import SettingsError, Unavailable
from voicemesh.sophon import Chip
from voicemesh.sophon.placement import Placement
from voicemesh.workers import ThreadWorker
from voicemesh_llm.engines.engine import Capabilities, Event, Prompt
from voicemesh_llm.engines.sophon_llm.equipment import equip
from voicemesh_llm.engines.sophon_llm.reply_writer import Equipment, ReplyWriter
from voicemesh_llm.engines.sophon_llm.settings import SophonLLMSettings
from voicemesh_llm.engines.sophon_llm.turns import Turns
from voicemesh_llm.token_estimate import estimate_tokens

log = logging.getLogger(__name__)
LONGEST_COUNTED = 8_000
"""Characters; their tokenisation takes about 5 ms."""
P = ParamSpec("P")
T = TypeVar("T")


class SophonModel:
    """A bmodel on one chip. One reply at a time, others wait their turn."""

    name = "sophon-llm"

    def __init__(self, settings: SophonLLMSettings, placement: Placement) -> None:
        """Nothing is opened before load()."""
        if settings.model is None:
            raise SettingsError(
                "no bmodel is chosen; set llm.sophon_llm.model to its file",
                field="llm.sophon_llm.model",
            )
        self._settings = settings
        self._placement = placement
        self._worker = ThreadWorker("sophon-llm")
        self._turns = Turns()
        self._chip: Chip | None = None
        self._equipment: Equipment | None = None
        self._writer: ReplyWriter | None = None
        self.model = settings.model.stem

    @property
    def capabilities(self) -> Capabilities:
        """The context is the sequence of the model's nets."""
        sequence = self._equipment.network.layout.sequence if self._equipment else 0
        return Capabilities(speculative=True, context_tokens=sequence)

    async def load(self) -> None:
        """Open the chip, load and test the model."""
        await self._worker.run(self._load)

    def _load(self) -> None:
        chip = Chip.open(self._placement)
        try:
            self._equipment = equip(chip, self._settings, self._placement)
        except BaseException:
            chip.close()
            raise
        self._chip = chip
        self._writer = ReplyWriter(self._settings, self._equipment)

    async def close(self) -> None:
        """Free the model and leave the chip."""
        chip, self._chip = self._chip, None
        self._writer = self._equipment = None
        if chip is not None:
            await self._worker.run(chip.close)
        self._worker.close()

    def count_tokens(self, text: str) -> int:
        """Exact once the tokenizer is there; long texts are estimated, not to hold the loop up."""
        if self._equipment is None or len(text) > LONGEST_COUNTED:
            return estimate_tokens(text)
        return len(self._equipment.tokens.encode(text))

    async def generate(self, prompt: Prompt) -> AsyncIterator[Event]:
        """Events of the reply; see LanguageModel. Leaving ends the work at the next launch."""
        stopped = threading.Event()
        async with self._turns.turn(background=prompt.speculative or not prompt.interactive):
            if self._writer is None:
                raise Unavailable("the model is not loaded; try again in a moment")
            events = self._writer.write(prompt, stopped.is_set)
            try:
                while (event := await self._pull(events, stopped)) is not None:
                    yield event
            finally:
                stopped.set()

    async def _pull(self, events: Iterator[Event], stopped: threading.Event) -> Event | None:
        """The next event. When cancelled, waits until the thread has let go of the chip."""
        return await self._in_thread(stopped, next, events, None)

    async def _in_thread(
        self, stopped: threading.Event, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        work = asyncio.ensure_future(self._worker.run(function, *args, **kwargs))
        try:
            return await asyncio.shield(work)
        except asyncio.CancelledError:
            stopped.set()
            await asyncio.wait({work})
            if not work.cancelled() and (error := work.exception()) is not None:
                log.debug("a cancelled reply ended with %s", error)
            raise
