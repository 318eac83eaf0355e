"""The scripted engine behind the protocol of all engines."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Callable
from datetime import datetime

from voicemesh.writing import WIDE
from voicemesh_llm.engines.engine import (
    Capabilities,
    Event,
    Finish,
    Finished,
    Prompt,
    TextDelta,
    Usage,
)
from voicemesh_llm.engines.scripted.scripted_answers import ScriptedAnswers
from voicemesh_llm.engines.scripted.settings import ScriptedSettings
from voicemesh_llm.token_estimate import estimate_tokens

# Latin words with the space after them; Chinese by up to three characters.
_PIECE = re.compile(rf"[^\s{WIDE}]+\s*|[{WIDE}]{{1,3}}\s*|\s+")


def local_time() -> datetime:
    """The machine's clock in its own time zone."""
    return datetime.now().astimezone()


class ScriptedModel:
    """Answers from a knowledge file. It is no language model and says so."""

    name = "scripted"
    model = "knowledge-file"
    capabilities = Capabilities(languages=("en", "zh"), speculative=True)

    def __init__(
        self, settings: ScriptedSettings, now: Callable[[], datetime] = local_time
    ) -> None:
        """``now`` tells the local time."""
        self._settings = settings
        self._now = now
        self._answers: ScriptedAnswers | None = None

    async def load(self) -> None:
        """Read the knowledge files; SettingsError where one is wrong."""
        self._answers = await asyncio.to_thread(ScriptedAnswers, self._settings, self._now)

    async def generate(self, prompt: Prompt) -> AsyncIterator[Event]:
        """The answer word by word, without artificial delay."""
        assert self._answers is not None, "load() comes first"
        # Matching takes milliseconds of pure computation: too long for the loop.
        answer = await asyncio.to_thread(self._answers.answer, prompt)
        said = 0
        reason = Finish.STOP
        for piece in _PIECE.findall(answer):
            cost = estimate_tokens(piece)
            if prompt.max_output_tokens and said + cost > prompt.max_output_tokens:
                reason = Finish.LENGTH
                break
            said += cost
            prompt.counter.spend(cost)
            yield TextDelta(piece)
        asked = sum(self.count_tokens(message.text) for message in prompt.messages)
        yield Finished(reason, Usage(prompt_tokens=asked, completion_tokens=said))

    def count_tokens(self, text: str) -> int:
        """An estimate: nothing here has tokens."""
        return estimate_tokens(text)

    async def close(self) -> None:
        """Nothing to release."""
