"""From English text to the phonemes that hibari's network reads."""

from __future__ import annotations

import json
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from hibari.g2p import G2P
from hibari.tts import ASSETS

PADDING = 0
"""Stands at both ends of an utterance."""
# The network was trained on sentences of at most so many; the library cuts there too.
_MOST_PHONEMES = 400


@dataclass(frozen=True)
class ReadWord:
    """A word or mark of a text, and where its phonemes are."""

    begin: int
    """Its first code point in the text."""
    end: int
    first: int
    """The place of its first phoneme in ``ReadText.ids``."""


@dataclass(frozen=True)
class ReadText:
    """A text as the network reads it."""

    ids: list[int]
    """Phonemes between two paddings."""
    words: list[ReadWord]
    """In the order of the text; what sounds like nothing is left out."""


class Pronunciation:
    """Reads one variety of English by the library's lexicon, rules and spelling network.

    What numbers, dates and signs are called has been decided before: a text comes here
    in words.
    """

    def __init__(self, *, british: bool) -> None:
        """Loads lexicon and tagger, 0.3 s and about 100 MB."""
        self._g2p = G2P(british=british)
        self._ids: dict[str, int] = json.loads(
            (Path(ASSETS) / "vocab.json").read_text(encoding="utf-8")
        )

    def read(self, text: str) -> ReadText:
        """The phonemes of a text of one sentence or less."""
        tokens = self._g2p.tokenize(text)
        for one, next_one in pairwise(tokens):
            if _is_capital(one.text) and _is_capital(next_one.text):
                one.tag = next_one.tag = "NN"  # the A of "A I" is a letter, no article
        tokens = self._g2p.phonemize_tokens(tokens)
        ids, words, position = [PADDING], [], 0
        for token in tokens:
            sounds = [self._ids[c] for c in token.phonemes or "" if c in self._ids]
            if len(ids) + len(sounds) > _MOST_PHONEMES:
                break
            begin = text.find(token.text, position)
            if begin >= 0:
                position = begin + len(token.text)
                if sounds:
                    words.append(ReadWord(begin, position, len(ids)))
            ids += sounds
            if token.whitespace:
                ids.append(self._ids[" "])
        while ids[-1] == self._ids[" "]:
            ids.pop()
        return ReadText([*ids, PADDING], words)


def _is_capital(text: str) -> bool:
    return len(text) == 1 and text.isupper()
