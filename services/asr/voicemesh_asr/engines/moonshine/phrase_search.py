"""Which expected phrases the network finds likely in an utterance, and how likely.

The tree of phrases is searched from its root, all hopeful beginnings at once, and what
falls below a bound is given up; so the work is that of the few phrases that sound like
the utterance, however many there are.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from voicemesh.work_counter import WorkCounter
from voicemesh_asr.engines.moonshine.network import Decoded, Encoded, MoonshineNetwork
from voicemesh_asr.engines.moonshine.phrase_tree import PhraseNode, PhraseTree, Tokens
from voicemesh_asr.engines.moonshine.tokenizer import END, Tokenizer

_WIDTH = 16
"""Beginnings that are followed at once, the likeliest: twice what any phrase needed that was
found in the end."""
_INNER_MARKS, _LAST_MARKS = (",", "."), (",", ".", "?", "!")


@dataclass(frozen=True)
class FoundPhrase:
    """A phrase that may have been said."""

    phrase: str
    """As it was given."""
    log_probability: float
    """Natural logarithm of what the network gives it, whatever the marks."""
    decoded: Decoded
    """Its likeliest spelling."""
    prior: float = 0.0
    """How much likelier it is for its boost, in nats."""

    @property
    def score(self) -> float:
        """How likely it is, in nats."""
        return self.log_probability + self.prior


@dataclass(frozen=True)
class _Beginning:
    """A path into the tree."""

    node: PhraseNode
    rest: Tokens = ()
    """Tokens of a word that is not yet written to its end."""
    marked: bool = False
    """Whether a mark is the last that was written."""
    tokens: Tokens = ()
    scores: tuple[float, ...] = ()

    @property
    def total(self) -> float:
        """The logarithm of its probability."""
        return sum(self.scores)

    def then(self, node: PhraseNode, token: int, rest: Tokens, marked: bool) -> _Beginning:
        """One token more, whose score is not known yet."""
        return _Beginning(node, rest, marked, (*self.tokens, token), self.scores)

    def scored(self, score: float) -> _Beginning:
        """With the score of its last token."""
        return _Beginning(self.node, self.rest, self.marked, self.tokens, (*self.scores, score))


class PhraseSearch:
    """Searches a tree. Blocking; safe to call from several threads."""

    def __init__(self, tree: PhraseTree, tokenizer: Tokenizer) -> None:
        """``tree`` was built with ``tokenizer``."""
        self._root = tree.root
        self._inner = tuple(_mark(tokenizer, mark) for mark in _INNER_MARKS)
        self._last = tuple(_mark(tokenizer, mark) for mark in _LAST_MARKS)

    def find(
        self,
        network: MoonshineNetwork,
        encoded: Encoded,
        least: float,
        counter: WorkCounter | None = None,
    ) -> list[FoundPhrase]:
        """All phrases whose score is ``least`` or more, the likeliest first.

        CancelledDecode where ``counter`` is cancelled.
        """
        found: dict[str, FoundPhrase] = {}
        rows, past = network.behind_start(encoded, counter)
        beginnings = [_Beginning(self._root)]
        while True:
            grown: list[tuple[_Beginning, int]] = []
            for row, beginning in enumerate(beginnings):
                if beginning.node.phrase is not None and not beginning.rest:
                    _add(found, beginning, float(rows[row, END]))
                for following in self._following(beginning):
                    scored = following.scored(float(rows[row, following.tokens[-1]]))
                    if scored.total + following.node.most_prior >= least:
                        grown.append((scored, row))
            if not grown:
                break
            grown.sort(key=lambda pair: -pair[0].total)
            beginnings = [beginning for beginning, _ in grown[:_WIDTH]]
            rows, past = network.branch(
                encoded,
                past,
                [row for _, row in grown[:_WIDTH]],
                [beginning.tokens[-1] for beginning in beginnings],
                counter,
            )
        likely = (phrase for phrase in found.values() if phrase.score >= least)
        return sorted(likely, key=lambda phrase: -phrase.score)

    def _following(self, beginning: _Beginning) -> Iterator[_Beginning]:
        node = beginning.node
        if beginning.rest:
            yield beginning.then(node, beginning.rest[0], beginning.rest[1:], marked=False)
            return
        for word, following in node.following.items():
            for first, *rest in node.spellings[word]:
                yield beginning.then(following, first, tuple(rest), marked=False)
        if not beginning.tokens or beginning.marked:
            return
        for mark in self._last if node.phrase is not None else self._inner:
            yield beginning.then(node, mark, (), marked=True)


def _mark(tokenizer: Tokenizer, mark: str) -> int:
    """The token of a mark behind a word."""
    return tokenizer.encode(f"a{mark}")[-1]


def _add(found: dict[str, FoundPhrase], beginning: _Beginning, end: float) -> None:
    phrase, prior = beginning.node.phrase, beginning.node.prior
    assert phrase is not None, "a phrase ends here"
    total = beginning.total + end
    scores = np.array([*beginning.scores, end], np.float32)
    decoded = Decoded(beginning.tokens, scores)
    before = found.get(phrase)
    if before is None:
        found[phrase] = FoundPhrase(phrase, total, decoded, prior)
        return
    likelier = before.decoded if before.decoded.log_probabilities.sum() >= total else decoded
    found[phrase] = FoundPhrase(
        phrase, float(np.logaddexp(before.log_probability, total)), likelier, prior
    )
