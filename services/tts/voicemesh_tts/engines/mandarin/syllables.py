"""The syllables of Mandarin, and how their Pinyin spellings are taken apart."""

from __future__ import annotations

from dataclasses import dataclass

NO_INITIAL = "^"
INITIALS = (
    *("b", "c", "ch", "d", "f", "g", "h", "j", "k", "l", "m"),
    *("n", "p", "q", "r", "s", "sh", "t", "x", "z", "zh"),
)
FINALS = (
    *("a", "ai", "an", "ang", "ao", "e", "ei", "en", "eng", "er"),
    *("i", "ia", "ian", "iang", "iao", "ie", "ii", "iii", "in", "ing", "iong", "iou"),
    *("o", "ong", "ou", "u", "ua", "uai", "uan", "uang", "uei", "uen", "ueng", "uo"),
    *("v", "van", "ve", "vn"),
)
"""``ii`` is the vowel of zi, ``iii`` that of zhi, ``v`` is ü. Both lists by the alphabet."""

# Spellings that leave out a vowel after an initial (the Pinyin rules), and that
# write a final differently where it stands alone.
_CONTRACTED = {"iu": "iou", "ui": "uei", "un": "uen", "ue": "ve"}
_ALONE = {
    "yi": "i",
    "yu": "v",
    "wu": "u",
    "you": "iou",
    "wei": "uei",
    "wen": "uen",
    "weng": "ueng",
    "yin": "in",
    "ying": "ing",
    "yong": "iong",
    "yuan": "van",
    "yue": "ve",
    "yun": "vn",
}
# Interjections outside the inventory, by their nearest syllable.
_RARE = {
    "ê": "ei",
    "m": "en",
    "n": "en",
    "ng": "en",
    "hm": "hen",
    "hng": "heng",
    "yo": "you",
    "yai": "ya",
    "wong": "weng",
}


@dataclass(frozen=True)
class Syllable:
    """An initial, and a final with its tone."""

    initial: str
    """One of ``INITIALS``, or ``NO_INITIAL``."""
    final: str
    """One of ``FINALS``."""
    tone: str
    """1 to 4; 5 is the neutral tone."""

    def toned(self, tone: str) -> Syllable:
        """The same syllable in another tone."""
        return Syllable(self.initial, self.final, tone)


def syllable(pinyin: str) -> Syllable | None:
    """A syllable from Pinyin with its tone at the end, "hao3"; None when it is none.

    ü may be written v; no tone means the neutral one.
    """
    spelling, tone = pinyin.lower(), "5"
    if spelling[-1:].isdigit():
        spelling, tone = spelling[:-1], spelling[-1]
    spelling = _RARE.get(spelling, spelling).replace("ü", "v")
    parts = _split(spelling)
    if parts is None or tone not in "12345":
        return None
    return Syllable(*parts, tone)


def _split(spelling: str) -> tuple[str, str] | None:
    if spelling in _ALONE:
        return NO_INITIAL, _ALONE[spelling]
    if spelling[:1] in ("y", "w"):
        # "ya" is i + a, "wo" is u + o.
        initial, final = NO_INITIAL, {"y": "i", "w": "u"}[spelling[0]] + spelling[1:]
    else:
        initial = next((i for i in (spelling[:2], spelling[:1]) if i in INITIALS), "")
        final = spelling[len(initial) :]
        initial = initial or NO_INITIAL
    final = _CONTRACTED.get(final, final)
    if initial in ("j", "q", "x") and final.startswith("u"):
        # After these u is written for ü; "un" has become "uen" above.
        final = "vn" if final == "uen" else "v" + final[1:]
    elif final == "i" and initial in ("z", "c", "s"):
        final = "ii"
    elif final == "i" and initial in ("zh", "ch", "sh", "r"):
        final = "iii"
    elif final == "uo" and initial in ("b", "p", "m", "f"):
        final = "o"
    return (initial, final) if final in FINALS else None
