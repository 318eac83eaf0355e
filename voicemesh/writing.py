"""Scripts that are written without spaces: which characters they have.

One definition for everything that counts, cuts or compares text. The ranges are
Unicode's blocks; HAN has the ideographs of all planes, with 〇 and 々.
"""

from __future__ import annotations

import re

HAN = "\u3005\u3007\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
"""Chinese characters, for use within a character class of a regular expression."""

KANA = "\u3041-\u3096\u309d-\u30fa\u30fc-\u30ff\u31f0-\u31ff"
"""Hiragana and katakana, likewise."""

WIDE = "\u2e80-\uffef\U00020000-\U0003ffff"
"""Everything from the radicals of Chinese to its full-width forms, marks and Korean
syllables included, likewise: text in these is counted by characters, other by words."""

_HAN = re.compile(f"[{HAN}]")


def is_han(character: str) -> bool:
    """Whether a single character is a Chinese one."""
    return _HAN.fullmatch(character) is not None


def has_han(text: str) -> bool:
    """Whether there is a Chinese character in ``text``."""
    return _HAN.search(text) is not None
