"""Chinese numerals: 一千零五 to 1005 and 21 to 二十一."""

from __future__ import annotations

import re
from fractions import Fraction

_DIGITS = {c: i for i, c in enumerate("零一二三四五六七八九")} | {"〇": 0, "两": 2}
_UNITS = {"十": 10, "百": 100, "千": 1000}
_MYRIADS = (("亿", 10**8), ("万", 10**4))
_NUMERAL = "零〇一二两三四五六七八九十百千万亿"

NUMBER = re.compile(rf"\d[\d,]*(?:\.\d+)?[万亿]?|[{_NUMERAL}]+(?:点[零〇一二三四五六七八九]+)?")
"""Where a number stands in a text."""


def parse_number(text: str) -> Fraction | None:
    """The value of a text that NUMBER matched; None where it makes no number."""
    if text[0].isdigit():
        scale = {"万": 10**4, "亿": 10**8}.get(text[-1], 1)
        return Fraction(text.rstrip("万亿").replace(",", "")) * scale
    whole, _, decimals = text.partition("点")
    value = _whole(whole)
    if value is None:
        return None
    for place, digit in enumerate(decimals, start=1):
        value += Fraction(_DIGITS[digit], 10**place)
    return value


def _whole(text: str) -> Fraction | None:
    if all(c in _DIGITS for c in text):
        return Fraction(int("".join(str(_DIGITS[c]) for c in text)))
    for mark, scale in _MYRIADS:
        head, found, tail = text.partition(mark)
        if not found:
            continue
        high = _whole(head) if head else Fraction(1)
        # 三万五 is 35000: a last digit without a unit counts the next lower unit.
        low = (
            Fraction(_DIGITS[tail] * scale // 10)
            if len(tail) == 1 and tail in _DIGITS
            else _whole(tail)
            if tail
            else Fraction(0)
        )
        return None if high is None or low is None else high * scale + low
    return _section(text)


def _section(text: str) -> Fraction | None:
    """A number below ten thousand with units."""
    total, digit, unit, zero = 0, -1, 10**4, False
    for character in text:
        if character in _DIGITS:
            if digit > 0:
                return None
            digit = _DIGITS[character]
            zero = zero or digit == 0
            continue
        if _UNITS[character] >= unit:
            return None
        unit = _UNITS[character]
        total += (digit if digit > 0 else 1) * unit
        digit = -1
    if digit > 0:
        total += digit * (1 if zero or unit == 10**4 else unit // 10)
    return Fraction(total)


def spell(number: int) -> str:
    """The numeral of 0 to 99; larger numbers stay digits."""
    if not 0 <= number <= 99:
        return str(number)
    digits = "零一二三四五六七八九"
    tens, rest = divmod(number, 10)
    if tens == 0:
        return digits[rest]
    return ("" if tens == 1 else digits[tens]) + "十" + (digits[rest] if rest else "")


def spell_digits(number: int) -> str:
    """Digit by digit, as years are read: 2026 is 二零二六."""
    return "".join("零一二三四五六七八九"[int(d)] for d in str(abs(number)))
