"""A finite-state language model of whole phrases.

The phrases form a prefix tree, so that common beginnings are searched once. The
probability of an arc is the share of the phrases behind it, weighted by their
boost; a path through the tree is one whole phrase.

Whole phrases hear better than a trigram model estimated from them: of 20
questions by two synthetic voices the trigrams (any smoothing and language
weight tried) got 2.4 to 7.3 % of the words of one voice wrong, for at each word
they may leave the phrase; the tree got none wrong, in half the time.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from voicemesh_asr.engines.engine import Phrase

log = logging.getLogger(__name__)

Arc = tuple[int, int, float, str] | tuple[int, int, float]
"""(from state, to state, probability, word); without a word: an empty arc."""

_APOSTROPHES = str.maketrans("’‘", "''")
_NO_WORD = re.compile(r"[^a-z']+")


def spoken_words(phrase: str) -> list[str]:
    """The words of a phrase as the dictionary spells them."""
    plain = _NO_WORD.sub(" ", phrase.lower().translate(_APOSTROPHES))
    return [word.strip("'") for word in plain.split() if word.strip("'")]


@cache
def load_dictionary(path: Path) -> dict[str, tuple[str, ...]]:
    """The lines of a pronunciation dictionary by word, with all variants of it."""
    lines: dict[str, list[str]] = {}
    with path.open(encoding="utf-8") as file:
        for line in file:
            lines.setdefault(line.split(None, 1)[0].partition("(")[0], []).append(line)
    return {word: tuple(variants) for word, variants in lines.items()}


@dataclass
class _Node:
    """A state of the tree: the phrases that share a beginning."""

    weight: float = 0.0
    ending: float = 0.0
    """The weight of the phrases that end here."""
    following: dict[str, _Node] = field(default_factory=dict)


@dataclass(frozen=True)
class PhraseGrammar:
    """The tree in the form that PocketSphinx takes."""

    phrases: frozenset[str]
    """The phrases, words joined by one space."""
    going_on: frozenset[str]
    """Those of them after which people go on: none tells that a turn is over."""
    pronunciations: tuple[str, ...]
    """Lines of a dictionary that has just the words needed."""
    phones: Mapping[str, int]
    """How many phones each of those pronunciations has."""
    start: int
    final: int
    arcs: tuple[Arc, ...]


def _tree(weighted: Mapping[tuple[str, ...], float]) -> _Node:
    root = _Node()
    for words, weight in weighted.items():
        node = root
        node.weight += weight
        for word in words:
            node = node.following.setdefault(word, _Node())
            node.weight += weight
        node.ending += weight
    return root


def _arcs(root: _Node) -> tuple[int, tuple[Arc, ...]]:
    """(the final state, all arcs); the root is state 0, the final state 1."""
    arcs: list[Arc] = []
    waiting = [(0, root)]
    count = 2
    while waiting:
        state, node = waiting.pop()
        if node.ending:
            arcs.append((state, 1, node.ending / node.weight))
        for word, child in node.following.items():
            arcs.append((state, count, child.weight / node.weight, word))
            waiting.append((count, child))
            count += 1
    return 1, tuple(arcs)


def build(phrases: Iterable[Phrase], dictionary: Path) -> PhraseGrammar | None:
    """The grammar of ``phrases``; None when no phrase is left.

    A phrase with a word that the dictionary cannot pronounce is left out.
    """
    known = load_dictionary(dictionary)
    weighted: dict[tuple[str, ...], float] = {}
    skipped: list[str] = []
    going_on: set[str] = set()
    for phrase in phrases:
        words = tuple(spoken_words(phrase.text))
        if not words or any(word not in known for word in words):
            skipped.append(phrase.text)
            continue
        weighted[words] = max(weighted.get(words, 0.0), 1.0 + phrase.boost)
        if phrase.may_go_on:
            going_on.add(" ".join(words))
    if skipped:
        log.info("%d phrases are left out: no pronunciation for all of their words", len(skipped))
        log.debug("phrases left out: %s", skipped)
    if not weighted:
        return None
    final, arcs = _arcs(_tree(weighted))
    pronunciations = _pronunciations(weighted, known)
    return PhraseGrammar(
        phrases=frozenset(" ".join(words) for words in weighted),
        going_on=frozenset(going_on),
        pronunciations=pronunciations,
        phones={name: len(phones) for name, *phones in map(str.split, pronunciations)},
        start=0,
        final=final,
        arcs=arcs,
    )


def _pronunciations(
    phrases: Iterable[Sequence[str]], known: Mapping[str, tuple[str, ...]]
) -> tuple[str, ...]:
    words = sorted({word for phrase in phrases for word in phrase})
    return tuple(line for word in words for line in known[word])
