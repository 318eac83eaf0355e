"""What of a model's tokens becomes the reply's text."""

from __future__ import annotations

from voicemesh_llm.engines.sophon_llm.detokeniser import Detokeniser
from voicemesh_llm.engines.sophon_llm.prompts import ModelPrompt
from voicemesh_llm.engines.sophon_llm.tokens import Tokens
from voicemesh_llm.reasoning import ReasoningFilter
from voicemesh_llm.stop_strings import StopStrings


class VisibleText:
    """Ids to the reply's text: whole characters, outside of reasoning, before a stop text."""

    def __init__(self, tokens: Tokens, asked: ModelPrompt, stop: tuple[str, ...]) -> None:
        """``stop``: texts that end the reply."""
        self._whole = Detokeniser(tokens.decode)
        self._reasoning = ReasoningFilter(asked.in_thought)
        self._stops = StopStrings(stop)
        self.raw = ""
        """All text so far, thoughts included."""

    @property
    def stopped(self) -> bool:
        """Whether a stop text has been met."""
        return self._stops.met

    def process(self, token: int) -> str:
        """Take a token; returns what may be said now."""
        return self._visible(self._whole.process(token))

    def finish(self) -> str:
        """The reply is over; the rest that may be said."""
        rest = self._visible(self._whole.finish())
        if self._stops.met:
            return rest
        return rest + self._stops.process(self._reasoning.finish()) + self._stops.finish()

    def _visible(self, text: str) -> str:
        self.raw += text
        return self._stops.process(self._reasoning.process(text))
