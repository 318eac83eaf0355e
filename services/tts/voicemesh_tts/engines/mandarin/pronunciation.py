"""From Han characters to syllables: a user's dictionary, pypinyin, tone sandhi."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from itertools import groupby

from pypinyin import Style, lazy_pinyin
from pypinyin.constants import PINYIN_DICT
from pypinyin.seg import mmseg

from voicemesh_tts.engines.mandarin.sandhi import SegmentedWord, spoken
from voicemesh_tts.engines.mandarin.syllables import Syllable, syllable


class Pronunciation:
    """Reads clauses. Characters with several readings are read by their word."""

    def __init__(self, readings: Mapping[str, tuple[Syllable, ...]]) -> None:
        """``readings``: words of a dictionary, with the syllables as they are spoken."""
        self._readings = readings
        longest_first = sorted(map(re.escape, readings), key=len, reverse=True)
        self._known = re.compile("|".join(longest_first)) if readings else None

    def read(self, clause: str) -> list[tuple[Syllable | None, bool]]:
        """For each character its syllable, and whether a word begins with it.

        A character that nobody can read has no syllable.
        """
        words = list(self._words(clause))
        begins = [i == 0 for word in words for i in range(len(word.characters))]
        return list(zip(spoken(words), begins, strict=True))

    def _words(self, clause: str) -> Iterator[SegmentedWord]:
        position = 0
        for match in self._known.finditer(clause) if self._known else ():
            yield from _listed(clause[position : match.start()])
            yield SegmentedWord(match[0], self._readings[match[0]], fixed=True)
            position = match.end()
        yield from _listed(clause[position:])


def _listed(text: str) -> Iterator[SegmentedWord]:
    """The words of a text as pypinyin's dictionaries have them."""
    for known, run in groupby(text, lambda character: ord(character) in PINYIN_DICT):
        characters = "".join(run)
        if not known:
            yield SegmentedWord(characters, (None,) * len(characters))
            continue
        for word in mmseg.seg.cut(characters):
            pinyin = lazy_pinyin([word], style=Style.TONE3, neutral_tone_with_five=True)
            yield SegmentedWord(word, tuple(map(syllable, pinyin)))
