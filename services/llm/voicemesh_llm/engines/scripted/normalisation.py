"""Brings typed and recognised text to one form: tokens in lower case without marks.

Recognisers write lower-case words without punctuation and drop apostrophes;
people type the opposite. Chinese has no spaces, so its tokens are characters
and pairs of neighbouring characters: pairs carry the word order.
"""

from __future__ import annotations

import re
import unicodedata

from voicemesh.writing import HAN
from voicemesh_llm.knowledge import LanguageName

MOST_TOKENS = 120
"""Longer utterances are cut: nobody asks a short question in that many words."""

_WORD = re.compile(r"[a-z0-9]+(?:'[a-z]+)?")
_CHINESE_PIECE = re.compile(f"[{HAN}]+|[a-z0-9]+")

_CONTRACTIONS = {
    "i'm": "i am",
    "im": "i am",
    "can't": "can not",
    "cannot": "can not",
    "cant": "can not",
    "won't": "will not",
    "dont": "do not",
    "whats": "what is",
    "hows": "how is",
    "whos": "who is",
    "wheres": "where is",
    "lets": "let us",
    "let's": "let us",
    "gonna": "going to",
    "wanna": "want to",
    "ok": "okay",
}
_ENDINGS = (("n't", "not"), ("'re", "are"), ("'ll", "will"), ("'ve", "have"), ("'s", "is"))

_FILLERS = frozenset({"um", "uh", "er", "hmm", "please"})
_LEAD_INS: tuple[tuple[str, ...], ...] = tuple(
    tuple(phrase.split())
    for phrase in (
        "can you tell me",
        "could you tell me",
        "would you tell me",
        "can you explain to me",
        "i would like to know",
        "i want to know",
        "do you know",
        "can you",
        "could you",
        "hey robot",
        "hello robot",
        "hey",
        "okay",
        "so",
        "well",
        "and",
        "but",
        "now",
    )
)
_CHINESE_FILLERS = re.compile(
    "^(?:请问一下|请问|请你|请|麻烦你|麻烦|我想知道|我想问一下|你知道|告诉我|能不能|可不可以|那么|嗯|呃|那)+"
)
_CHINESE_ENDINGS = re.compile("[呢啊呀吧哦哈嘛]+$")


def tokens(text: str, language: LanguageName) -> list[str]:
    """The tokens of an utterance or a pattern; at most MOST_TOKENS."""
    plain = unicodedata.normalize("NFKC", text).lower().replace("’", "'")
    found = _chinese(plain) if language == "zh" else _english(plain)
    return found[:MOST_TOKENS]


def _english(text: str) -> list[str]:
    words: list[str] = []
    for word in _WORD.findall(text)[:MOST_TOKENS]:
        words.extend(_expand(word))
    words = [word for word in words if word not in _FILLERS] or words
    return _without_lead_in(words)


def _expand(word: str) -> list[str]:
    if word in _CONTRACTIONS:
        return _CONTRACTIONS[word].split()
    for ending, full in _ENDINGS:
        if word.endswith(ending) and len(word) > len(ending):
            return [word.removesuffix(ending), full]
    return [word]


def _without_lead_in(words: list[str]) -> list[str]:
    """Drop what only opens a question, as long as a question remains."""
    changed = True
    while changed:
        changed = False
        for phrase in _LEAD_INS:
            if len(words) - len(phrase) >= 2 and tuple(words[: len(phrase)]) == phrase:
                words = words[len(phrase) :]
                changed = True
    return words


def _chinese(text: str) -> list[str]:
    joined = "".join(_CHINESE_PIECE.findall(text)[:MOST_TOKENS])
    core = _CHINESE_ENDINGS.sub("", _CHINESE_FILLERS.sub("", joined)) or joined
    pieces = re.findall(r"[a-z0-9]+|.", core)[: MOST_TOKENS // 2]
    pairs = [first + second for first, second in zip(pieces, pieces[1:], strict=False)]
    return pieces + pairs
