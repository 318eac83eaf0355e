"""Chinese texts in a common form: simplified characters, without marks and fillers.

Numbers in digits are the same as those in characters; 两 and 二 are the same number. What
stands in Latin letters counts as one character a word, in lower case.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from functools import cache

from opencc import OpenCC

from voicemesh.language_tags import primary_language
from voicemesh_evaluation.recognition.wording.distance import Slot, Wording

_FILLERS = frozenset("嗯呃")
_DIGITS = "零一二三四五六七八九"
_UNITS = ("", "十", "百", "千")
_GROUPS = ("", "万", "亿", "万亿")
_LONGEST_NUMBER = 16
_SAME = str.maketrans({"两": "二", "〇": "零", "幺": "一"})
_CURRENCIES = {"$": ("美元", "美金"), "¥": ("元", "块", "块钱"), "€": ("欧元",), "£": ("英镑",)}
_TOKEN = re.compile(
    r"""
      (?P<hour>\d{1,2}):(?P<minute>\d\d)(?!\d)
    | (?P<currency>[$¥€£])?\s?(?P<digits>\d[\d,]*)(?:\.(?P<fraction>\d+))?(?P<percent>%)?
    | (?P<latin>[a-z]+(?:'[a-z]+)*)
    | (?P<character>[^\W\d_])
    """,
    re.VERBOSE | re.IGNORECASE,
)


@cache
def _simplifier() -> OpenCC:
    return OpenCC("t2s")


def simplified(text: str) -> str:
    """The text in simplified characters."""
    return str(_simplifier().convert(text))


def wording(text: str) -> Wording:
    """The text, character by character; fillers are left out."""
    plain = simplified(unicodedata.normalize("NFKC", text)).translate(_SAME)
    return [slot for found in _TOKEN.finditer(plain) if (slot := _slot(found))]


def _slot(found: re.Match[str]) -> Slot | None:
    if character := found["character"]:
        return None if character in _FILLERS else ((character,),)
    if latin := found["latin"]:
        return ((latin.replace("'", "").lower(),),)
    return tuple(dict.fromkeys(tuple(reading) for reading in _readings(found)))


def _readings(found: re.Match[str]) -> Iterator[str]:
    if found["hour"]:
        yield from _clock(int(found["hour"]), found["minute"])
        return
    fraction = f"点{_row(found['fraction'])}" if found["fraction"] else ""
    before = "百分之" if found["percent"] else ""
    for whole in _whole(found["digits"].replace(",", "")):
        for unit in _CURRENCIES.get(found["currency"], ("",)):
            yield f"{before}{whole}{fraction}{unit}"


def _row(digits: str) -> str:
    return "".join(_DIGITS[int(digit)] for digit in digits)


def _whole(digits: str) -> Iterator[str]:
    if digits == str(int(digits)) and len(digits) <= _LONGEST_NUMBER:
        yield cardinal(int(digits))
    yield _row(digits)


def _clock(hour: int, minute: str) -> Iterator[str]:
    said_hour = f"{cardinal(hour)}点"
    if minute == "00":
        yield from (said_hour, f"{said_hour}整", f"{said_hour}钟")
        return
    said_minute = f"零{cardinal(int(minute))}" if minute < "10" else cardinal(int(minute))
    yield from (f"{said_hour}{said_minute}分", f"{said_hour}{said_minute}")
    if minute == "30":
        yield f"{said_hour}半"


def cardinal(number: int) -> str:
    """The characters of a number below 10^16, with 二 for every two."""
    if number == 0:
        return _DIGITS[0]
    said, place = "", 0
    while number:
        number, group = divmod(number, 10_000)
        if group:
            said = f"{_group(group)}{_GROUPS[place]}{said}"
        if group < 1000 and number and said and not said.startswith(_DIGITS[0]):
            said = _DIGITS[0] + said
        place += 1
    return said[1:] if said.startswith("一十") else said


def _group(number: int) -> str:
    """The characters of a number from 1 to 9999."""
    said = ""
    for place, digit in reversed([*enumerate(map(int, reversed(str(number))))]):
        if digit:
            said += _DIGITS[digit] + _UNITS[place]
        elif number % 10**place and not said.endswith(_DIGITS[0]):
            said += _DIGITS[0]
    return said


def is_chinese(language: str) -> bool:
    """Whether a BCP-47 tag is of a Chinese that is written as here."""
    return primary_language(language) in ("zh", "yue")
