"""The words of a transcript without what recognisers change at will: case, marks and spaces."""

from __future__ import annotations

import re
import unicodedata

from voicemesh.writing import HAN

# A Chinese character is a word; so is a run of anything else that bears meaning.
# A point or comma between digits belongs to the number.
_WORD = re.compile(f"[{HAN}]|[^\\W_{HAN}]+")
_WITHIN_A_WORD = re.compile(r"(?<=\w)['\u2019](?=\w)")
_WITHIN_A_NUMBER = re.compile(r"(?<=\d)[.,:](?=\d)")
# Symbols that are spoken, and so belong to what was said.
_SPOKEN = re.compile(r"[%\u00b0$\u20ac\u00a5+&@#]")


def words(text: str) -> tuple[str, ...]:
    """The words of ``text``: a Chinese character counts as one.

    Width, case and marks are levelled: "It's 3.5!" and "its 3.5" have the same words.
    """
    level = unicodedata.normalize("NFKC", text).casefold()
    level = _WITHIN_A_WORD.sub("", level)
    level = _WITHIN_A_NUMBER.sub("point", level)
    level = _SPOKEN.sub(lambda symbol: f" {ord(symbol[0])} ", level)
    return tuple(_WORD.findall(level))


def same_words(one: str, other: str) -> bool:
    """Whether two transcripts say the same."""
    return words(one) == words(other)
