"""Ids of a reply to text, as they come, never half a character."""

from __future__ import annotations

from collections.abc import Callable, Sequence

_HALF = "\ufffd"


class Detokeniser:
    """Gives out text when it is whole.

    A token may end inside a character, and some decoders write a token otherwise at
    the beginning of a text than behind another token. So a new token is decoded
    together with those that were given out last, and their text is taken off. While
    the result ends in U+FFFD it may be half a character and is held back; at the
    end of the reply it is given out, for then the model has meant it.
    """

    def __init__(self, decode: Callable[[Sequence[int]], str]) -> None:
        """``decode`` turns ids into text, with U+FFFD for what is no character."""
        self._decode = decode
        self._given: list[int] = []
        self._given_text = ""
        self._held: list[int] = []

    def process(self, token: int) -> str:
        """Take the next token; returns the text that is whole now."""
        self._held.append(token)
        text = self._decode(self._given + self._held)
        if text.endswith(_HALF) or len(text) <= len(self._given_text):
            return ""
        return self._give(text)

    def finish(self) -> str:
        """The reply is over: what was held is all there is."""
        return self._give(self._decode(self._given + self._held)) if self._held else ""

    def _give(self, text: str) -> str:
        new = text[len(self._given_text) :]
        self._given, self._held = self._held, []
        self._given_text = self._decode(self._given)
        return new
