"""English texts in a common form, so that only what was heard differently differs.

The same: case, marks, hyphens and apostrophes ("it's" and "its" sound alike), fillers (left
out), numbers in digits or words, letters of an acronym written together or apart, British
and American spellings, and words with two spellings. Not the same: contractions and their
long forms, which are other spoken words.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

from voicemesh_evaluation.recognition.wording import english_numbers as numbers
from voicemesh_evaluation.recognition.wording.distance import Slot, Wording, said
from voicemesh_evaluation.recognition.wording.english_spellings import (
    FILLERS,
    SPELLINGS,
    american,
)

_CURRENCIES = {
    "$": numbers.Currency("dollar", "dollars", "cent", "cents"),
    "£": numbers.Currency("pound", "pounds", "penny", "pence"),
    "€": numbers.Currency("euro", "euros", "cent", "cents"),
}
_SIGNS = {"%": "percent", "&": "and", "+": "plus", "=": "equals", "@": "at", "°": "degrees"}
_TOKEN = re.compile(
    r"""
      (?P<currency>[$£€])\s?(?P<amount>\d[\d,]*)(?:\.(?P<cents>\d+))?
          (?:\s(?P<scale>hundred|thousand|million|billion|trillion)\b)?
    | (?P<hour>\d{1,2}):(?P<minute>\d\d)(?!\d)
    | '?(?P<decade>\d*\d0)'?s\b
    | (?P<ordinal>\d[\d,]*)(?:st|nd|rd|th)\b
    | (?P<whole>\d[\d,]*)(?:\.(?P<fraction>\d+))?
    | (?P<dotted>(?:[a-z]\.){2,}|(?:[a-z]\.)+[a-z]\b)
    | (?P<word>[^\W\d_]+(?:'[^\W\d_]+)*)
    | (?P<sign>[%&+=@°])
    """,
    re.VERBOSE | re.IGNORECASE,
)
_LONGEST_ACRONYM = 5
_ZEROS = frozenset({"oh", "o"})


def wording(text: str) -> Wording:
    """The text, place by place; fillers are left out."""
    plain = unicodedata.normalize("NFKC", text).replace("\u2019", "'")
    return _with_zeros([slot for found in _TOKEN.finditer(plain) for slot in _slots(found)])


def _slots(found: re.Match[str]) -> Iterator[Slot]:
    match found.lastgroup:
        case "word":
            yield from _word(found["word"])
        case "dotted":
            yield _acronym(found["dotted"].replace(".", "").lower())
        case "sign":
            name = _SIGNS[found["sign"]]
            yield SPELLINGS.get(name, said(name))
        case "minute":
            yield numbers.clock(found["hour"], found["minute"])
        case "decade":
            yield numbers.decade(found["decade"])
        case "ordinal":
            yield numbers.ordinals(found["ordinal"].replace(",", ""))
        case "whole" | "fraction":
            yield _number(found["whole"].replace(",", ""), found["fraction"])
        case _:
            amount = found["amount"].replace(",", "")
            scale = (found["scale"] or "").lower()
            currency = _CURRENCIES[found["currency"]]
            yield numbers.money(currency, amount, found["cents"] or "", scale)


def _number(digits: str, fraction: str | None) -> Slot:
    return numbers.decimal(digits, fraction) if fraction else numbers.whole(digits)


def _word(written: str) -> Iterator[Slot]:
    word = written.replace("'", "").lower()
    if word in FILLERS:
        return
    if word in SPELLINGS:
        yield SPELLINGS[word]
    elif 1 < len(written) <= _LONGEST_ACRONYM and written.isupper():
        yield _acronym(word)
    else:
        yield said(american(word))


def _acronym(letters: str) -> Slot:
    return ((letters,), tuple(letters))


def _with_zeros(slots: list[Slot]) -> list[Slot]:
    """``slots`` with an "oh" beside a digit taken for a zero."""

    def is_digit(place: int) -> bool:
        if not 0 <= place < len(slots):
            return False
        first = slots[place][0]
        return len(first) == 1 and (first[0] in numbers.DIGIT_WORDS or first[0] in _ZEROS)

    def is_zero(place: int) -> bool:
        alone = slots[place]
        beside = is_digit(place - 1) or is_digit(place + 1)
        return len(alone) == 1 and len(alone[0]) == 1 and alone[0][0] in _ZEROS and beside

    return [said("zero") if is_zero(place) else slot for place, slot in enumerate(slots)]
