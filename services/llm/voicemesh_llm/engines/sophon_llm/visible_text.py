"""What of a model's tokens is spoken."""

from __future__ import annotations

from voicemesh_llm.engines.sophon_llm.detokeniser import Detokeniser
from voicemesh_llm.engines.sophon_llm.prompts import ModelPrompt
from voicemesh_llm.engines.sophon_llm.tokens import Tokens
from voicemesh_llm.reasoning import ReasoningFilter
from voicemesh_llm.stop_strings import StopStrings


class SpokenText:
    """Ids to what may be said: whole characters, outside of thoughts, before a stop."""

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

    def push(self, token: int) -> str:
        """Take a token; returns what may be said now."""
        return self._say(self._whole.push(token))

    def finish(self) -> str:
        """The reply is over; the rest that may be said."""
        rest = self._say(self._whole.finish())
        if self._stops.met:
            return rest
        return rest + self._stops.push(self._reasoning.finish()) + self._stops.finish()

    def _say(self, text: str) -> str:
        self.raw += text
        return self._stops.push(self._reasoning.push(text))
