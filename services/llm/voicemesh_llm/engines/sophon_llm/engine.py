"""The sophon-llm engine: a worker thread that pulls replies, and their cancellation."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

from voicemesh.errors import SettingsError, Unavailable
from voicemesh.workers import ThreadWorker
from voicemesh_llm.engines.engine import Capabilities, Event, Prompt
from voicemesh_llm.engines.sophon_llm.decoding_loop import DecodingLoop, Equipment
from voicemesh_llm.engines.sophon_llm.equipment import equip
from voicemesh_llm.engines.sophon_llm.priority_lock import PriorityLock
from voicemesh_llm.engines.sophon_llm.settings import SophonLLMSettings
from voicemesh_llm.token_estimate import estimate_tokens
from voicemesh_sophon.client import Chip
from voicemesh_sophon.placing.placement import Placement

LONGEST_COUNTED = 8_000
"""Characters; their tokenisation takes about 5 ms."""


class SophonModel:
    """A bmodel on one chip. One reply at a time, others wait their turn."""

    name = "sophon-llm"

    def __init__(
        self, settings: SophonLLMSettings, placement: Placement, personas: Sequence[str] = ()
    ) -> None:
        """Nothing is opened before load().

        ``personas``: system prompts that conversations are going to begin with, the usual
        one first.
        """
        if settings.model is None:
            raise SettingsError(
                "no bmodel is chosen; set llm.sophon_llm.model to its file",
                field="llm.sophon_llm.model",
            )
        self._settings = settings
        self._placement = placement
        self._personas = personas if settings.read_ahead else ()
        self._worker = ThreadWorker("sophon-llm")
        self._chip_lock = PriorityLock()
        self._chip: Chip | None = None
        self._equipment: Equipment | None = None
        self._decoding: DecodingLoop | None = None
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
            equipment = equip(chip, self._settings, self._placement)
            decoding = DecodingLoop(self._settings, equipment)
            for persona in self._personas:
                decoding.read_ahead(persona, lambda: False)
        except BaseException:
            chip.close()
            raise
        self._chip, self._equipment, self._decoding = chip, equipment, decoding

    async def close(self) -> None:
        """Free the model and leave the chip."""
        chip, self._chip = self._chip, None
        self._decoding = self._equipment = None
        if chip is not None:
            chip.close()  # Not in the worker, which a launch that hangs would hold.
        self._worker.close()

    def count_tokens(self, text: str) -> int:
        """Exact once the tokenizer is there; long texts are estimated, not to hold the loop up."""
        if self._equipment is None or len(text) > LONGEST_COUNTED:
            return estimate_tokens(text)
        return len(self._equipment.tokens.encode(text))

    async def generate(self, prompt: Prompt) -> AsyncIterator[Event]:
        """Events of the reply; see LanguageModel. Leaving ends the work at the next launch."""
        counter = prompt.counter
        async with self._chip_lock.hold(background=prompt.speculative or not prompt.interactive):
            events = self._loaded().generate(prompt, lambda: counter.cancelled)
            while (event := await self._worker.spend(counter, next, events, None)) is not None:
                yield event
                self._loaded()

    def _loaded(self) -> DecodingLoop:
        """Unavailable where the model has been closed, which may be between two tokens."""
        if self._decoding is None:
            raise Unavailable("the model is not loaded; try again in a moment")
        return self._decoding
