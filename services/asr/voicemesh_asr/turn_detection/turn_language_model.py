"""The protocol of a statistical language model for turn detection, a plug-in point.

It knows how often words follow each other, and so how often a sentence ends behind
two words. The completeness judge asks it beside its rules, some ten times for each
running text and on the event loop: an answer is a look into tables, of microseconds.
"""

from __future__ import annotations

from typing import Protocol

SENTENCE_END = "</s>"


class TurnLanguageModel(Protocol):
    """How likely words follow each other. Synchronous and quick; called from one thread."""

    language: str
    """The language of its words, such as "en"."""

    def log_probability(self, word: str, *before: str) -> float | None:
        """The natural logarithm of P(``word`` | ``before``); None: it does not know ``word``.

        ``word``: in lower case, or ``SENTENCE_END``. ``before``: the words in front of
        it, the nearest last.
        """
