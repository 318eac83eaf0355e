"""English number words: "twenty one point five" to 21.5 and 21 to "twenty one"."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from voicemesh.english_number_words import TENS, UNDER_TWENTY, ordinal_word

_SCALES = {"thousand": 10**3, "million": 10**6, "billion": 10**9, "trillion": 10**12}
UNITS = {word: value for value, word in enumerate(UNDER_TWENTY)} | {"oh": 0}
_TEN_VALUES = {word: 20 + 10 * index for index, word in enumerate(TENS)}


def is_number_word(word: str) -> bool:
    """Whether a number may begin with ``word``."""
    return word in UNITS and word != "oh" or word in _TEN_VALUES or word[:1].isdigit()


def read_number(words: Sequence[str], start: int) -> tuple[Fraction, int] | None:
    """The number at ``start`` and the index after it; None where there is none.

    Takes digits ("12", "1,000", "3.5"), words, and a scale after either ("5 million").
    """
    index = start
    total = Fraction(0)
    part: Fraction | None = None
    while index < len(words):
        word = words[index]
        following = words[index + 1] if index + 1 < len(words) else ""
        if word[0].isdigit() and part is None:
            part = Fraction(word.replace(",", ""))
        elif word in UNITS and word != "oh" and _takes_unit(part, UNITS[word]):
            part = (part or Fraction(0)) + UNITS[word]
        elif word in _TEN_VALUES and _takes_ten(part):
            part = (part or Fraction(0)) + _TEN_VALUES[word]
        elif word == "hundred" and (part is None and index == start or part and part < 100):
            part = (part or Fraction(1)) * 100
        elif word in _SCALES and (part is not None or index == start):
            total += (part if part is not None else Fraction(1)) * _SCALES[word]
            part = Fraction(0)
        elif word in ("a", "an") and index == start and following in ("hundred", *_SCALES):
            part = Fraction(1)
        elif (
            word == "and"
            and index > start
            and words[index - 1] in ("hundred", *_SCALES)
            and (following in UNITS or following in _TEN_VALUES)
        ):
            pass
        else:
            break
        index += 1
    if part is None:
        return None
    if index < len(words) - 1 and words[index] == "point" and words[index + 1] in UNITS:
        digits = ""
        index += 1
        while index < len(words) and words[index] in UNITS and UNITS[words[index]] < 10:
            digits += str(UNITS[words[index]])
            index += 1
        part += Fraction(int(digits or "0"), 10 ** len(digits))
    return total + part, index


def _takes_unit(part: Fraction | None, unit: int) -> bool:
    """Whether "five" may follow what has been read: after "twenty" and "hundred", not "six"."""
    if part is None or part == 0:
        return part is None or unit > 0
    return part % 100 == 0 or (part % 100 >= 20 and part % 10 == 0 and 0 < unit < 10)


def _takes_ten(part: Fraction | None) -> bool:
    return part is None or part % 100 == 0


def spell(number: int) -> str:
    """The words of 0 to 9999; larger numbers stay digits."""
    if number < 0 or number > 9999:
        return str(number)
    if number < 20:
        return UNDER_TWENTY[number]
    if number < 100:
        tens, rest = divmod(number, 10)
        return TENS[tens - 2] + (f" {UNDER_TWENTY[rest]}" if rest else "")
    size, name = (1000, "thousand") if number >= 1000 else (100, "hundred")
    head, rest = divmod(number, size)
    return f"{UNDER_TWENTY[head]} {name}" + (f" {spell(rest)}" if rest else "")


def spell_ordinal(number: int) -> str:
    """The ordinal of 1 to 99: 21 is "twenty first"."""
    head, _, last = spell(number).rpartition(" ")
    return f"{head} {ordinal_word(last)}".strip()


def spell_year(year: int) -> str:
    """A year as it is spoken: 1984 is "nineteen eighty four", 2005 "two thousand five"."""
    head, rest = divmod(year, 100)
    if not 1000 <= year <= 9999 or head % 10 == 0 and rest < 10:
        return spell(year)
    if rest == 0:
        return f"{spell(head)} hundred"
    return f"{spell(head)} {'oh ' if rest < 10 else ''}{spell(rest)}"
