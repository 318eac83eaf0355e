"""A unit of text as the voice reads it: clauses of syllables."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from voicemesh_tts.engines.mandarin.latin import LatinReading
from voicemesh_tts.engines.mandarin.pronunciation import Pronunciation
from voicemesh_tts.engines.mandarin.syllables import Syllable
from voicemesh_tts.text.characters import MARKS
from voicemesh_tts.text.scripts import script_of
from voicemesh_tts.text.traced import TracedText

_CLAUSE = re.compile(f"[^{re.escape(MARKS)}]+")


@dataclass(frozen=True)
class SpokenCharacter:
    """A character that is spoken, with its syllable."""

    character: str
    syllable: Syllable
    begin: int
    """The first code point of the unit that it speaks for."""
    end: int
    begins_word: bool


@dataclass(frozen=True)
class Clause:
    """The spoken characters between two marks; never empty."""

    characters: tuple[SpokenCharacter, ...]
    mark: str
    """The mark that ends it, or nothing."""


@dataclass(frozen=True)
class PhoneticText:
    """The clauses of a unit, and the letters of it that cannot be spoken."""

    clauses: tuple[Clause, ...]
    dropped: str


class Reader:
    """Turns units of speakable text into clauses."""

    def __init__(self, pronunciation: Pronunciation, latin: LatinReading) -> None:
        """Both are shared by all voices of a process."""
        self._pronunciation = pronunciation
        self._latin = latin

    def read(self, unit: str) -> PhoneticText:
        """The clauses of a unit of text, as the room's normalisation leaves it."""
        text = self._latin.spelled(TracedText.of(unit))
        clauses: list[Clause] = []
        dropped: list[str] = []
        for match in _CLAUSE.finditer(text.text):
            begin, end = match.span()
            places = [i for i in range(begin, end) if script_of(text.text[i]) == "han"]
            dropped += [c for c in match[0] if script_of(c) != "han" and c.isalnum()]
            characters = []
            sounds = self._pronunciation.read("".join(text.text[i] for i in places))
            for i, (syllable, begins_word) in zip(places, sounds, strict=True):
                if syllable is None:
                    dropped.append(text.text[i])
                    continue
                span = text.begins[i], text.ends[i]
                characters.append(SpokenCharacter(text.text[i], syllable, *span, begins_word))
            if characters:
                clauses.append(Clause(tuple(characters), text.text[end : end + 1]))
        return PhoneticText(tuple(clauses), "".join(dropped))


def equal_parts(clause: Clause, longest: int) -> Iterator[Clause]:
    """A clause in the fewest parts of about the same length, cut between words if possible."""
    characters = clause.characters
    begin = 0
    while (left := len(characters) - begin) > longest:
        parts = -(-left // longest)
        ideal = begin + -(-left // parts)
        earliest = max(begin + 1, len(characters) - (parts - 1) * longest)
        cuts = [i for i in range(earliest, begin + longest + 1) if characters[i].begins_word]
        cut = min(cuts, key=lambda i: abs(i - ideal), default=ideal)
        yield Clause(characters[begin:cut], "")
        begin = cut
    yield Clause(characters[begin:], clause.mark)
