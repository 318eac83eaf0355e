"""Tone sandhi: the tones that are spoken where the dictionary has others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from voicemesh_tts.engines.mandarin.syllables import Syllable

_DIGITS = frozenset("零一二三四五六七八九十百千万亿点")
_POWERS = frozenset("百千万亿")


@dataclass(frozen=True)
class SegmentedWord:
    """Some characters and their syllables, one each; None is not spoken."""

    characters: str
    syllables: tuple[Syllable | None, ...]
    fixed: bool = False
    """Whether the tones are as they are to be spoken, as a user's dictionary has them."""


def spoken(words: Sequence[SegmentedWord]) -> list[Syllable | None]:
    """The syllables of a clause as they are spoken, one for each character.

    一 and 不 follow the tone after them. Of third tones in a row, within a word all
    but the last become second ones; then, from the end, a word's last syllable does
    before a word that begins with a third tone: 我很好 is wo3 hen2 hao3.
    """
    text = "".join(word.characters for word in words)
    listed = [syllable for word in words for syllable in word.syllables]
    said = list(listed)
    ends: list[int] = []  # the last character of each word that may change
    begin = 0
    for word in words:
        end = begin + len(word.characters)
        if not word.fixed:
            for i in range(begin, end):
                said[i] = _yi_or_bu(text, listed, i, ends_word=begin < i == end - 1)
            for i in range(begin, end - 1):
                if _is_third(listed[i]) and _is_third(listed[i + 1]):
                    said[i] = _toned(said[i], "2")
            ends.append(end - 1)
        begin = end
    for i in reversed(ends):
        if i + 1 < len(said) and _is_third(said[i]) and _is_third(said[i + 1]):
            said[i] = _toned(said[i], "2")
    return said


def _is_third(syllable: Syllable | None) -> bool:
    return syllable is not None and syllable.tone == "3"


def _toned(syllable: Syllable | None, tone: str) -> Syllable | None:
    return syllable.toned(tone) if syllable is not None else None


def _yi_or_bu(
    text: str, listed: Sequence[Syllable | None], i: int, ends_word: bool
) -> Syllable | None:
    syllable = listed[i]
    if syllable is None or text[i] not in "一不":
        return syllable
    before, after = text[i - 1 : i] if i else "", text[i + 1 : i + 2]
    following = listed[i + 1] if after else None
    if before and before == after and before not in _DIGITS:
        return syllable.toned("5")  # 看一看, 好不好
    falls = following is not None and (following.tone == "4" or after == "个")
    if text[i] == "不":
        return syllable.toned("2" if falls else "4")
    if following is None or ends_word or _is_name(before, after):
        return syllable.toned("1")
    return syllable.toned("2" if falls else "4")


def _is_name(before: str, after: str) -> bool:
    """Whether 一 names something between these, as ordinals and digits do: tone 1."""
    if before in ("第", "初") or after in ("月", "号", "楼"):
        return True
    if after == "日":
        return before == "月"
    if after in _POWERS:
        return before in ("零", "十")
    return before in _DIGITS or (after in _DIGITS and after != "点")
