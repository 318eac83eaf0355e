"""How numbers that are written in digits may be said in English: all usual readings.

Zero is "zero" in every reading, also where people say "oh".
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product

from voicemesh.english_number_words import TENS, UNDER_TWENTY, ordinal_word, plural_word
from voicemesh_evaluation.recognition.wording.distance import Reading, Slot

_SCALES = ((10**12, "trillion"), (10**9, "billion"), (10**6, "million"), (1000, "thousand"))
_LIMIT = 10**15
DIGIT_WORDS = frozenset(UNDER_TWENTY[:10])
_PIECES_TO = 4
"""The most digits that are also read in pieces, such as 1984 in two."""


@dataclass(frozen=True)
class Currency:
    """The names of one unit and of more, of a hundredth and of more."""

    one: str
    many: str
    part: str
    parts: str


def cardinal(number: int, joint: str = "") -> list[str]:
    """The words of a number below 10^15; ``joint``: "and" before the last two digits."""
    for scale, name in _SCALES:
        if number >= scale:
            rest = number % scale
            tail = cardinal(rest, joint) if rest else []
            and_ = [joint] if joint and 0 < rest < 100 else []
            return [*cardinal(number // scale, joint), name, *and_, *tail]
    if number >= 100:
        tail = [joint] if joint and number % 100 else []
        tail += cardinal(number % 100) if number % 100 else []
        return [UNDER_TWENTY[number // 100], "hundred", *tail]
    if number >= 20:
        return [TENS[number // 10 - 2], *([UNDER_TWENTY[number % 10]] if number % 10 else [])]
    return [UNDER_TWENTY[number]]


def ordinal(words: Reading) -> Reading:
    """The ordinal of a cardinal's words."""
    return (*words[:-1], ordinal_word(words[-1]))


def _unique(readings: Iterator[list[str]]) -> Slot:
    return tuple(dict.fromkeys(tuple(words) for words in readings))


def whole(digits: str) -> Slot:
    """Readings of a row of digits: as a number, as a year, in pieces, digit by digit."""
    return _unique(_whole(digits))


def _whole(digits: str) -> Iterator[list[str]]:
    number = int(digits)
    if digits == str(number) and number < _LIMIT:
        yield from _amounts(number)
        if len(digits) == 4 and number % 100 == 0 and number % 1000:
            yield [*cardinal(number // 100), "hundred"]
    yield [UNDER_TWENTY[int(digit)] for digit in digits]
    if len(digits) <= _PIECES_TO:
        yield from _in_pieces(digits)


def _amounts(number: int) -> Iterator[list[str]]:
    for joint in ("", "and"):
        words = cardinal(number, joint)
        yield words
        if words[0] == "one" and len(words) > 1:
            yield ["a", *words[1:]]


def _in_pieces(digits: str) -> Iterator[list[str]]:
    """Each piece one digit, or two that are read as a number from ten on."""
    if not digits:
        yield []
        return
    for size in (2, 1):
        piece = digits[:size]
        if len(piece) == size and (size == 1 or piece[0] != "0"):
            for rest in _in_pieces(digits[size:]):
                yield [*cardinal(int(piece)), *rest]


def decimal(digits: str, fraction: str) -> Slot:
    """Readings of ``digits.fraction``; "3.5" may be three and a half."""
    point = ["point", *(UNDER_TWENTY[int(digit)] for digit in fraction)]
    return _unique(_decimal(digits, fraction, point))


def _decimal(digits: str, fraction: str, point: list[str]) -> Iterator[list[str]]:
    for words in whole(digits):
        yield [*words, *point]
        if fraction == "5":
            yield [*words, "and", "a", "half"]
    if not int(digits):
        yield point


def ordinals(digits: str) -> Slot:
    """Readings of ``digits`` with st, nd, rd or th behind them."""
    return tuple(dict.fromkeys(ordinal(words) for words in whole(digits)))


def decade(digits: str) -> Slot:
    """Readings of ``digits`` with an s behind them: the nineteen nineties."""
    return tuple((*words[:-1], plural_word(words[-1])) for words in whole(digits))


def money(currency: Currency, digits: str, fraction: str, scale: str) -> Slot:
    """Readings of an amount such as $3.50, or $5 million with ``scale`` "million"."""
    return _unique(_money(currency, digits, fraction, scale))


def _money(currency: Currency, digits: str, fraction: str, scale: str) -> Iterator[list[str]]:
    one = digits == "1" and not scale
    unit, other = (currency.one, currency.many)[:: 1 if one else -1]
    if scale or not fraction:
        for words in decimal(digits, fraction) if fraction else whole(digits):
            amount = [*words, *([scale] if scale else [])]
            yield from ([*amount, unit], [*amount, other])
        return
    part = currency.part if int(fraction) == 1 else currency.parts
    for words, parts in product(whole(digits), whole(str(int(fraction)))):
        for middle, end in product(([unit], [unit, "and"], []), ([part], [])):
            yield [*words, *middle, *parts, *end]
    for words in decimal(digits, fraction):
        yield [*words, unit]


def clock(hour: str, minute: str) -> Slot:
    """Readings of a time of day such as 10:30."""
    return _unique(_clock(int(hour), minute))


def _clock(hour: int, minute: str) -> Iterator[list[str]]:
    named = cardinal(hour)
    if minute == "00":
        yield from (named, [*named, "oclock"], [*named, "hundred"])
        return
    for words in whole(minute):
        yield [*named, *words]
    match minute:
        case "30":
            yield ["half", "past", *named]
        case "15":
            yield from (["quarter", "past", *named], ["a", "quarter", "past", *named])
        case "45":
            after = cardinal(hour % 12 + 1)
            yield from (["quarter", "to", *after], ["a", "quarter", "to", *after])
