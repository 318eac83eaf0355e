"""Characters: one spelling for what looks alike, and which of them can be spoken."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

from voicemesh.writing import HAN
from voicemesh_tts.text.scripts import script_of
from voicemesh_tts.text.traced import TracedText

# Signs that compatibility normalisation would tear apart but rules can say.
_KEEP = frozenset("½⅓⅔¼¾⅛²³℃℉µ°")

_SPELLINGS = {
    **dict.fromkeys('“”„‟«»「」『』《》〈〉【】〔〕〖〗"‹›', " "),
    **dict.fromkeys("‘’‛ʼ＇`´", "'"),
    **dict.fromkeys("（(［[｛{", ", "),
    **dict.fromkeys("）)］]｝}", ", "),
    **dict.fromkeys("，、､﹐،", ", "),
    **dict.fromkeys("。．｡۔।॥", ". "),
    **dict.fromkeys("！¡︕", "! "),
    **dict.fromkeys("？¿︖؟", "? "),
    **dict.fromkeys("；؛", "; "),
    "：": ":",
    "…": "...",
    "﹣": "-",
    "－": "-",
    "‐": "-",
    "‑": "-",
    "～": "~",
    "〜": "~",
    "￥": "¥",
    "·": " ",
    "•": " ",
    "・": " ",
    "〇": "零",
    "\u00a0": " ",
    "\u3000": " ",
    "\t": " ",
    "\r": "",
}
# Joined to a word without a trace: emphasis marks and invisible characters.
_TRACELESS = re.compile(r"[*_~`\u00ad\u200b-\u200f\u2060\ufe00-\ufe0f\ufeff\u20e3]+")
_DECOMPOSED = re.compile(r"[^\W\d_][\u0300-\u036f]+")
_PHONE_PREFIX = re.compile(r"\((\d{3})\)\s*(?=\d{3}-\d{4})")


@lru_cache(maxsize=4096)
def _spelling(char: str) -> str:
    if char in _SPELLINGS:
        return _SPELLINGS[char]
    if char.isascii() or char in _KEEP:
        return char
    if unicodedata.category(char) == "Nd":
        return str(unicodedata.digit(char))
    return unicodedata.normalize("NFKC", char)


def unify(text: TracedText) -> TracedText:
    """One spelling for full-width forms, quotes, dashes and decomposed letters."""
    text = text.rewrite(_DECOMPOSED, lambda m: unicodedata.normalize("NFC", m[0]))
    text = text.rewrite(_PHONE_PREFIX, lambda m: [1, "-"])
    return text.translate({ord(c): _spelling(c) for c in set(text.text)})


MARKS = ",.;:!?"
"""The punctuation of spoken text; every other mark becomes one of these."""

_STRENGTH = {mark: index for index, mark in enumerate(",:;.!?")}


def speakable(char: str) -> bool:
    """Whether a character may stand in spoken text."""
    if char in "0123456789 '-" or char in MARKS:
        return True
    return unicodedata.category(char)[0] in "LM" and script_of(char) is not None


_DOTS = re.compile(r"\.{2,}")
_DASHES = re.compile(r"\s*(?:[—–―−]+|-{2,}|\s-\s)\s*")
_APOSTROPHE = re.compile(r"(?<![^\W\d_])'|'(?![^\W\d_])")
_HYPHEN = re.compile(r"(?<![^\W_])-|-(?![^\W_])")
_MARK_RUN = re.compile(r"[\s,.;:!?]*[,.;:!?][\s,.;:!?]*")
_SPACES = re.compile(r"\s{2,}")
_HAN_SPACE = re.compile(rf"(?<=[{HAN}])\s+(?=[{HAN}])")


def _strongest(match: re.Match[str]) -> str | None:
    run = match[0]
    inside = match.start() > 0 and match.end() < len(match.string)
    if (
        inside
        and len(run) == 1
        and _joins(match.string[match.start() - 1], match.string[match.end()])
    ):
        return None  # 3.14 in a language whose numbers are left to the voice
    mark = max((c for c in run if c in _STRENGTH), key=_STRENGTH.__getitem__)
    if match.start() == 0:
        return ""
    return f"{mark} " if inside else mark


def _joins(before: str, after: str) -> bool:
    return before.isdigit() and after.isdigit()


def tidy(text: TracedText) -> TracedText:
    """Only what can be spoken: letters, spaces and single punctuation marks."""
    text = text.rewrite(_TRACELESS, lambda m: "")
    text = text.rewrite(_DOTS, lambda m: ". " if m.end() == len(m.string) else ", ")
    text = text.rewrite(_DASHES, lambda m: ", ")
    text = text.translate({ord(c): " " for c in set(text.text) if not speakable(c)})
    text = text.rewrite(_APOSTROPHE, lambda m: " ")
    text = text.rewrite(_HYPHEN, lambda m: " ")
    text = text.rewrite(_MARK_RUN, _strongest)
    text = text.rewrite(_HAN_SPACE, lambda m: "")
    text = text.rewrite(_SPACES, lambda m: " ")
    begin = len(text.text) - len(text.text.lstrip())
    return text[begin : len(text.text.rstrip())]
