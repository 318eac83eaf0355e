"""The simulated model behind the protocol of all engines."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator

from voicemesh.simulation import SimulatedDevice
from voicemesh.writing import WIDE
from voicemesh_llm.engines.engine import (
    Capabilities,
    Event,
    Finish,
    Finished,
    Prompt,
    Role,
    TextDelta,
    Usage,
)
from voicemesh_llm.engines.simulated.settings import SimulatedSettings
from voicemesh_llm.token_estimate import estimate_tokens

# A token is a word with the space before it, as tokenizers cut, or a Chinese character.
_TOKEN = re.compile(rf"\s*[^\s{WIDE}]+|\s*[{WIDE}]|\s+")


class SimulatedModel:
    """Writes set replies, each token when it is due."""

    name = "simulated"
    model = "simulated"
    capabilities = Capabilities(speculative=True)

    def __init__(self, settings: SimulatedSettings) -> None:
        """Nothing has to be loaded."""
        self._settings = settings
        self._tokens = [_TOKEN.findall(reply) for reply in settings.replies]
        self._device = SimulatedDevice(settings.jobs_at_once)

    async def load(self) -> None:
        """Nothing to load."""

    async def generate(self, prompt: Prompt) -> AsyncIterator[Event]:
        """The reply to the prompt's last question, token by token."""
        asked = sum(estimate_tokens(message.text) for message in prompt.messages)
        questions = sum(message.role is Role.USER for message in prompt.messages)
        tokens = self._tokens[max(0, questions - 1) % len(self._tokens)]
        limit = prompt.max_output_tokens or len(tokens)
        first_s = self._settings.first_token_ms / 1000
        if self._settings.prefill_tokens_per_second:
            first_s += asked / self._settings.prefill_tokens_per_second
        async with self._device.job() as job:
            for index, token in enumerate(tokens[:limit]):
                await job.reach(first_s + index / self._settings.tokens_per_second)
                prompt.counter.spend()
                yield TextDelta(token)
        reason = Finish.STOP if limit >= len(tokens) else Finish.LENGTH
        said = min(limit, len(tokens))
        yield Finished(reason, Usage(prompt_tokens=asked, completion_tokens=said))

    def count_tokens(self, text: str) -> int:
        """An estimate, as for every engine without a tokenizer."""
        return estimate_tokens(text)

    async def close(self) -> None:
        """Nothing to free."""
