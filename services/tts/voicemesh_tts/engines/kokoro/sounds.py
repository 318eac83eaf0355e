"""Mandarin syllables in the alphabet that Kokoro reads.

Kokoro was trained on phonemes close to the IPA, one character each. Initials are what
the IPA has for them; a final is its nucleus, the tone as an arrow, and what follows:
tian1 is "tʰjɛ→n". Words stand apart. Numbers of symbols are those of Kokoro's own
configuration (hexgrad, Kokoro-82M, Apache-2.0); only what Mandarin needs is here.
"""

from __future__ import annotations

from voicemesh_tts.engines.mandarin.syllables import NO_INITIAL, Syllable

PADDING = 0
"""Stands at both ends of an utterance."""

_SYMBOLS = {
    **{";": 1, ":": 2, ",": 3, ".": 4, "!": 5, "?": 6, " ": 16},
    **{"ʦ": 20, "ʨ": 21, "ꭧ": 23},
    **{"a": 43, "e": 47, "f": 48, "i": 51, "j": 52, "k": 53, "l": 54, "m": 55, "n": 56, "o": 57},
    **{"p": 58, "s": 61, "t": 62, "u": 63, "w": 65, "x": 66, "y": 67},
    **{"ɔ": 76, "ɕ": 77, "ə": 83, "ɚ": 85, "ɛ": 86, "ɥ": 99, "ɨ": 101, "ŋ": 112, "ɻ": 126},
    **{"ʂ": 130, "ʊ": 135, "ɤ": 140, "ʰ": 162},
    **{"↓": 169, "→": 171, "↗": 172, "↘": 173},
}
_TONES = {"1": "→", "2": "↗", "3": "↓", "4": "↘", "5": ""}
_INITIALS = {
    NO_INITIAL: "",
    **{"b": "p", "p": "pʰ", "m": "m", "f": "f", "d": "t", "t": "tʰ", "n": "n", "l": "l"},
    **{"g": "k", "k": "kʰ", "h": "x", "j": "ʨ", "q": "ʨʰ", "x": "ɕ", "z": "ʦ", "c": "ʦʰ", "s": "s"},
    **{"zh": "ꭧ", "ch": "ꭧʰ", "sh": "ʂ", "r": "ɻ"},
}
# What stands before the tone, and after it.
_FINALS = {
    "a": ("a", ""),
    "ai": ("ai", ""),
    "an": ("a", "n"),
    "ang": ("a", "ŋ"),
    "ao": ("au", ""),
    "e": ("ɤ", ""),
    "ei": ("ei", ""),
    "en": ("ə", "n"),
    "eng": ("ə", "ŋ"),
    "er": ("ɚ", ""),
    "i": ("i", ""),
    "ia": ("ja", ""),
    "ian": ("jɛ", "n"),
    "iang": ("ja", "ŋ"),
    "iao": ("jau", ""),
    "ie": ("je", ""),
    "ii": ("ɨ", ""),
    "iii": ("ɨ", ""),
    "in": ("i", "n"),
    "ing": ("i", "ŋ"),
    "iong": ("jʊ", "ŋ"),
    "iou": ("jou", ""),
    "o": ("wo", ""),
    "ong": ("ʊ", "ŋ"),
    "ou": ("ou", ""),
    "u": ("u", ""),
    "ua": ("wa", ""),
    "uai": ("wai", ""),
    "uan": ("wa", "n"),
    "uang": ("wa", "ŋ"),
    "uei": ("wei", ""),
    "uen": ("wə", "n"),
    "ueng": ("wə", "ŋ"),
    "uo": ("wo", ""),
    "v": ("y", ""),
    "van": ("ɥɛ", "n"),
    "ve": ("ɥe", ""),
    "vn": ("y", "n"),
}


def symbols(syllable: Syllable) -> list[int]:
    """The symbols of a syllable."""
    nucleus, coda = _FINALS[syllable.final]
    if syllable.initial == NO_INITIAL and syllable.final == "o":
        nucleus = "ɔ"  # an interjection, not the vowel of bo
    written = _INITIALS[syllable.initial] + nucleus + _TONES[syllable.tone] + coda
    return [_SYMBOLS[symbol] for symbol in written]


def mark_symbol(mark: str) -> int:
    """The symbol of a mark, or of the space between two words."""
    return _SYMBOLS[mark]
