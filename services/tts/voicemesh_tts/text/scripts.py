"""Writing systems: which language a character, or a number among words, belongs to."""

from __future__ import annotations

import re
from bisect import bisect_right
from dataclasses import dataclass

from voicemesh.language_tags import primary_language
from voicemesh.writing import HAN, KANA, is_han

# Ranges of the scripts that espeak-ng has voices for, from the Unicode block
# tables: first code point, last code point, script. Of Han only what is no ideograph: 〆.
_RANGES: tuple[tuple[int, int, str], ...] = (
    (0x0041, 0x005A, "latin"),
    (0x0061, 0x007A, "latin"),
    (0x00C0, 0x00D6, "latin"),
    (0x00D8, 0x00F6, "latin"),
    (0x00F8, 0x024F, "latin"),
    (0x0370, 0x03FF, "greek"),
    (0x0400, 0x052F, "cyrillic"),
    (0x0531, 0x058F, "armenian"),
    (0x0591, 0x05F4, "hebrew"),
    (0x0620, 0x06FF, "arabic"),
    (0x0750, 0x077F, "arabic"),
    (0x0900, 0x097F, "devanagari"),
    (0x0980, 0x09FF, "bengali"),
    (0x0A00, 0x0A7F, "gurmukhi"),
    (0x0A80, 0x0AFF, "gujarati"),
    (0x0B00, 0x0B7F, "oriya"),
    (0x0B80, 0x0BFF, "tamil"),
    (0x0C00, 0x0C7F, "telugu"),
    (0x0C80, 0x0CFF, "kannada"),
    (0x0D00, 0x0D7F, "malayalam"),
    (0x0D80, 0x0DFF, "sinhala"),
    (0x0E00, 0x0E7F, "thai"),
    (0x1000, 0x109F, "myanmar"),
    (0x10A0, 0x10FF, "georgian"),
    (0x1100, 0x11FF, "hangul"),
    (0x1200, 0x137F, "ethiopic"),
    (0x1E00, 0x1EFF, "latin"),
    (0x1F00, 0x1FFF, "greek"),
    (0x3006, 0x3006, "han"),
    (0x3041, 0x30FF, "kana"),
    (0x3105, 0x312F, "bopomofo"),
    (0x3131, 0x318E, "hangul"),
    (0x31F0, 0x31FF, "kana"),
    (0xAC00, 0xD7A3, "hangul"),
)
_STARTS = [begin for begin, _, _ in _RANGES]

# The language that is spoken where only the script tells.
_LANGUAGE_OF_SCRIPT = {
    "greek": "el",
    "cyrillic": "ru",
    "armenian": "hy",
    "hebrew": "he",
    "arabic": "ar",
    "devanagari": "hi",
    "bengali": "bn",
    "gurmukhi": "pa",
    "gujarati": "gu",
    "oriya": "or",
    "tamil": "ta",
    "telugu": "te",
    "kannada": "kn",
    "malayalam": "ml",
    "sinhala": "si",
    "thai": "th",
    "myanmar": "my",
    "georgian": "ka",
    "hangul": "ko",
    "ethiopic": "am",
    "kana": "ja",
    "bopomofo": "zh",
}

# Languages, other than those above, that are written in a script of the table.
_SCRIPT_OF_LANGUAGE = {language: script for script, language in _LANGUAGE_OF_SCRIPT.items()} | {
    "zh": "han",
    "yue": "han",
    "uk": "cyrillic",
    "be": "cyrillic",
    "bg": "cyrillic",
    "mk": "cyrillic",
    "sr": "cyrillic",
    "kk": "cyrillic",
    "ky": "cyrillic",
    "fa": "arabic",
    "ur": "arabic",
    "ug": "arabic",
    "mr": "devanagari",
    "ne": "devanagari",
    "as": "bengali",
}

_SENTENCE_END = re.compile(r"[。！？\n]|[.!?](?=\s|$)")


def script_of(char: str) -> str | None:
    """The script of a letter; None for what belongs to no script, such as digits."""
    code = ord(char)
    index = bisect_right(_STARTS, code) - 1
    if index >= 0 and code <= _RANGES[index][1]:
        return _RANGES[index][2]
    return "han" if is_han(char) else None


# What a Japanese word or name is written with, its dot and its mark 〆 and the voicing marks
# of decomposed kana included.
_JAPANESE_WORD = re.compile(f"[{HAN}{KANA}\u3099-\u309c〆・]+")
# One kana among Han characters is an ornament of Chinese brand names (の).
_KANA_OF_JAPANESE = 2


def scripts_of(text: str) -> list[str | None]:
    """The script of every character; Han characters in a Japanese word count as kana."""
    scripts = [script_of(c) for c in text]
    for match in _JAPANESE_WORD.finditer(text):
        begin, end = match.span()
        if scripts[begin:end].count("kana") >= _KANA_OF_JAPANESE:
            scripts[begin:end] = ["kana"] * (end - begin)
    return scripts


def primary(language_code: str) -> str:
    """The language of a BCP-47 tag: "zh-CN" and "cmn" are "zh", "zh-HK" is "yue"."""
    tag = language_code.lower().replace("_", "-")
    return "yue" if tag.startswith(("zh-yue", "zh-hk", "zh-mo")) else primary_language(tag)


@dataclass(frozen=True)
class Reading:
    """How the scripts of a text are read in one stream.

    Latin letters are read in ``latin``, Han characters in ``han``, any other
    script in the stream's language if that is written so, else in the script's
    most spoken one. ``default`` is the language of text without any letters.
    """

    default: str = "en"
    latin: str = "en"
    han: str = "zh"

    @classmethod
    def of(cls, language_code: str, latin: str = "en") -> Reading:
        """The reading of a stream whose language is ``language_code``.

        ``latin`` is the language of Latin letters where the stream's own language
        is written otherwise.
        """
        language = primary(language_code)
        if language in ("zh", "yue", "ja"):
            return cls(language, latin, language)
        if language in _SCRIPT_OF_LANGUAGE:
            return cls(language, latin)
        return cls(language, language)

    def language_of(self, script: str) -> str:
        """The language that letters of ``script`` are read in."""
        if script == "latin":
            return self.latin
        if script == "han":
            return self.han
        if _SCRIPT_OF_LANGUAGE.get(self.default) == script:
            return self.default
        return _LANGUAGE_OF_SCRIPT[script]


class Surroundings:
    """Tells for any place of a text which language surrounds it.

    Numbers and signs belong to no script: they are read in the language of the
    letters around them within the sentence. Between two languages, Han decides
    if the sentence begins or ends with it: "打开 iPhone 15" is a Chinese sentence.
    """

    def __init__(self, text: str, reading: Reading) -> None:
        """Looks at the text once; asking is cheap."""
        self._reading = reading
        scripts = scripts_of(text)
        self._left: list[str | None] = []
        self._right: list[str | None] = [None] * len(text)
        self._edges: list[tuple[str | None, str | None]] = []
        for begin, end in _sentences(text):
            letters = [s for s in scripts[begin:end] if s is not None]
            edge = (letters[0], letters[-1]) if letters else (None, None)
            last: str | None = None
            for i in range(begin, end):
                self._left.append(last)
                last = scripts[i] or last
                self._edges.append(edge)
            following: str | None = None
            for i in range(end - 1, begin - 1, -1):
                self._right[i] = following
                following = scripts[i] or following

    def language(self, begin: int, end: int) -> str:
        """The language around the range [begin, end), which must not be empty."""
        left, right = self._left[begin], self._right[end - 1]
        if left is None and right is None:
            return self._reading.default
        if left is None or right is None or left == right:
            return self._reading.language_of(left or right or "latin")
        if "han" in (left, right):
            script = "han" if "han" in self._edges[begin] else "latin"
            if script in (left, right):
                return self._reading.language_of(script)
        return self._reading.language_of(left)


def _sentences(text: str) -> list[tuple[int, int]]:
    bounds = [0, *(m.end() for m in _SENTENCE_END.finditer(text)), len(text)]
    return [(a, b) for a, b in zip(bounds, bounds[1:], strict=False) if a < b]
