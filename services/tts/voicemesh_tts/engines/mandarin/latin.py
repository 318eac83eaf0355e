"""Latin letters in Chinese sentences, put into Han characters that sound like them."""

from __future__ import annotations

import re

from voicemesh_tts.engines.mandarin.lexicon import Lexicon, key
from voicemesh_tts.text.rules import Rule, apply_rules
from voicemesh_tts.text.scripts import Reading
from voicemesh_tts.text.traced import Part, TracedText

_LETTER = "[A-Za-z\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u024f]"
_WORD = re.compile(rf"{_LETTER}+(?:['-]{_LETTER}+)*|[0-9]")
_RUN = re.compile(rf"(?:{_WORD.pattern})(?:[ '-]*(?:{_WORD.pattern}))*")
_DIGITS = dict(zip("0123456789", "零一二三四五六七八九", strict=True))
_LONGEST_ACRONYM = 5


class LatinReading:
    """Reads Latin words by the lexicon, and letters by their names.

    Up to five capitals, or letters without a vowel, are spelled: GPS, pdf. Other words
    that the lexicon does not have are left to a voice that speaks their language, with
    the whole run of words that they stand in, or spelled.
    """

    def __init__(self, lexicon: Lexicon, spell_unknown: bool) -> None:
        """``spell_unknown``: no other voice reads what the lexicon does not have."""
        self._words = lexicon.latin
        self._spell_unknown = spell_unknown

    def respell(self, text: TracedText, reading: Reading) -> TracedText:
        """A spoken text with the Latin words of its Chinese sentences respelled."""
        rule = Rule(_RUN, lambda match: self._parts(match, self._spell_unknown))
        return apply_rules(text, [rule], "zh", reading)

    def spelled(self, text: TracedText) -> TracedText:
        """A text without Latin letters and digits: all are read here."""
        return text.rewrite(_RUN, lambda match: self._parts(match, spell=True))

    def _parts(self, match: re.Match[str], spell: bool) -> list[Part] | None:
        parts: list[Part] = []
        end = match.start()
        for word in _WORD.finditer(match.string, *match.span()):
            said = self._said(word[0], spell)
            if said is None:
                return None
            # What stands between words is kept, so that each keeps its own span.
            parts += [(end, word.start()), said]
            end = word.end()
        return parts

    def _said(self, word: str, spell: bool) -> str | None:
        known = _DIGITS.get(word) or self._words.get(key(word))
        if known is not None:
            return known
        if spell or _is_acronym(word):
            return "".join(self._words.get(key(letter), "") for letter in word)
        return None


def _is_acronym(word: str) -> bool:
    """Capitals alone, or letters that are no word of any language, such as pdf."""
    if len(word) > _LONGEST_ACRONYM:
        return False
    return word.isupper() or (word.isascii() and not set(word.lower()) & set("aeiouy"))
