"""Finds the entry that a question means, in spite of misheard and reordered words.

A pattern and an utterance are compared as bags of weighted tokens. A token's
weight falls with the number of entries that use it (inverse document frequency),
so "what is" counts little and "photosynthesis" much; a word that no entry knows
counts in full against the match. English words match when they are spelled alike
(Dice coefficient of their letter pairs), which forgives most recognition errors.
The score is the harmonic mean of how much of the utterance and how much of the
pattern is covered.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import log

from voicemesh_llm.engines.scripted.normalisation import tokens
from voicemesh_llm.knowledge import Entry, LanguageName, Phrasing

THRESHOLD = 0.66
"""The least score that is taken as an answer; chosen on the tables of the tests."""
LEAST_COVERAGE = 0.6
"""The least share of the utterance's weight that the pattern must explain."""
LEAST_LIKENESS = 0.6
"""The least likeness of two words that may be one misheard word."""

FUNCTION_WORD_WEIGHT = 0.3
"""The most that a word without a meaning of its own counts."""
_FUNCTION_WORDS_TEXT = (
    "a an the this that these those of in on at by for from to with and or our my your his her "
    "its their as am are is was were be been has have had there here just really me us"
)
_FUNCTION_WORDS = frozenset(_FUNCTION_WORDS_TEXT.split())

_ENGLISH_OPENINGS = (
    "what is {}",
    "what are {}",
    "tell me about {}",
    "tell me something about {}",
    "explain {}",
    "define {}",
    "what do you know about {}",
)
_CHINESE_OPENINGS = (
    "什么是{}",
    "{}是什么",
    "{}是什么意思",
    "介绍一下{}",
    "给我讲讲{}",
    "解释一下{}",
    "你知道{}吗",
    "关于{}你知道什么",
)


@dataclass(frozen=True)
class QuestionMatch:
    """The entry that fits best, and how well, 0 to 1."""

    entry: Entry
    score: float


@dataclass(frozen=True)
class _Pattern:
    entry: Entry
    tokens: frozenset[str]
    weight: float


class Matcher:
    """The patterns of one language."""

    def __init__(self, entries: Iterable[Entry], language: LanguageName) -> None:
        """Prepares all ways to ask for the entries that have this language."""
        self._language: LanguageName = language
        phrased = [(e, p) for e in entries if (p := e.phrasing(language)) is not None]
        bags = [
            (e, frozenset(tokens(q, language)))
            for e, p in phrased
            for q in ways_to_ask(p, language)
        ]
        uses = Counter(
            token
            for entry, _ in phrased
            for token in frozenset().union(*(bag for owner, bag in bags if owner is entry))
        )
        most = log(1 + len(phrased)) or 1.0
        self._weights = {
            token: _lightened(token, log(1 + len(phrased) / n) / most) for token, n in uses.items()
        }
        self._patterns = [
            _Pattern(entry, bag, sum(self._weights[token] for token in bag))
            for entry, bag in bags
            if bag
        ]
        self._exact = {pattern.tokens: pattern.entry for pattern in reversed(self._patterns)}
        self._match = lru_cache(maxsize=512)(self._find)
        self._alike = lru_cache(maxsize=4096)(self._find_alike)

    def match(self, text: str) -> QuestionMatch | None:
        """The best entry for ``text``; None where nothing fits well enough."""
        return self._match(text)

    def _find(self, text: str) -> QuestionMatch | None:
        words = self._joined(tokens(text, self._language))
        if (asked := self._exact.get(frozenset(words))) is not None:
            return QuestionMatch(asked, 1.0)
        likeness = {word: self._alike(word) for word in words}
        total = sum(
            self._weights[word] if word in like else _lightened(word, 1.0)
            for word, like in likeness.items()
        )
        best: QuestionMatch | None = None
        for pattern in self._patterns:
            heard = 0.0
            explained: dict[str, float] = {}
            for like in likeness.values():
                known = [(like[token] * self._weights[token], token) for token in like]
                found = max((k for k in known if k[1] in pattern.tokens), default=None)
                if found is not None:
                    heard += found[0]
                    explained[found[1]] = max(explained.get(found[1], 0.0), found[0])
            if heard == 0.0 or not self._has_what_it_needs(pattern.entry, text, explained):
                continue
            coverage = heard / total
            recall = sum(explained.values()) / pattern.weight
            score = 2 * coverage * recall / (coverage + recall)
            if coverage >= LEAST_COVERAGE and (best is None or score > best.score):
                best = QuestionMatch(pattern.entry, score)
        return best if best is not None and best.score >= THRESHOLD else None

    def _has_what_it_needs(self, entry: Entry, text: str, explained: Iterable[str]) -> bool:
        """Whether one of the words that the entry insists on was heard."""
        phrasing = entry.phrasing(self._language)
        needs = phrasing.needs if phrasing else ()
        return not needs or any(need in text or need in explained for need in needs)

    def _joined(self, words: Sequence[str]) -> list[str]:
        """Join neighbours that were heard apart: "photo synthesis"."""
        result: list[str] = []
        for word in words:
            if result and result[-1] + word in self._weights and self._language == "en":
                result[-1] += word
            else:
                result.append(word)
        return result

    def _find_alike(self, word: str) -> dict[str, float]:
        """Known tokens that ``word`` may stand for, and how alike they are."""
        exact = {word: 1.0} if word in self._weights else {}
        if self._language == "zh" or len(word) < 3:
            return exact
        mine = _letter_pairs(word)
        alike = {
            token: likeness
            for token in self._weights
            if abs(len(token) - len(word)) <= 4
            and (likeness := _dice(mine, _letter_pairs(token))) >= LEAST_LIKENESS
        }
        return alike | exact


def _lightened(token: str, weight: float) -> float:
    return min(weight, FUNCTION_WORD_WEIGHT) if token in _FUNCTION_WORDS else weight


def ways_to_ask(phrasing: Phrasing, language: LanguageName) -> list[str]:
    """All patterns of an entry in one language, the canonical question first."""
    openings = _ENGLISH_OPENINGS if language == "en" else _CHINESE_OPENINGS
    asked = [opening.format(topic) for topic in phrasing.topics for opening in openings]
    return [phrasing.question, *phrasing.also, *asked]


@lru_cache(maxsize=8192)
def _letter_pairs(word: str) -> frozenset[str]:
    # The edges count as letters: the beginning of a word is heard best.
    edged = f"^{word}$"
    return frozenset(edged[i : i + 2] for i in range(len(edged) - 1))


def _dice(first: frozenset[str], second: frozenset[str]) -> float:
    return 2 * len(first & second) / (len(first) + len(second))
