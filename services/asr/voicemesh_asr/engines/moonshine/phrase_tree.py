"""Expected phrases as the network would write them: a tree of words, each in its spellings."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from voicemesh_asr.engines.engine import Phrase
from voicemesh_asr.engines.moonshine.tokenizer import Tokenizer
from voicemesh_asr.engines.redecoding.phrase_likeness import plain

Tokens = tuple[int, ...]

_ALSO_WRITTEN = (
    ("okay", "ok"),
    ("all right", "alright"),
    ("alright", "all right"),
    ("uh huh", "uh-huh"),
    ("mm hmm", "mm-hmm"),
    ("um hum", "um-hum"),
    ("um hum", "mm-hmm"),
    ("um hum", "uh-hum"),
    ("aha", "ah-ha"),
)
"""What is heard the same and written in two ways."""
_ABBREVIATION = 3
"""A word of fewer letters may be one, in capitals."""
_NATS_OF_BOOST = 0.3
"""What a phrase's boost, 0 to 20, adds to the logarithm of its probability: with 5, as hints of
what is said into replies have, a factor of 4.5. It takes 789 of 825 sounds of listening that are
heard as such to 807, 0.2 to 799, and 5 of 220 other short commands are taken for one."""


@dataclass
class PhraseNode:
    """The phrases that share a beginning."""

    phrase: str | None = None
    """The phrase that ends here."""
    prior: float = 0.0
    """How much likelier it is for its boost than the network knows, in nats."""
    most_prior: float = 0.0
    """The highest of all phrases that begin so."""
    following: dict[str, PhraseNode] = field(default_factory=dict)
    spellings: dict[str, tuple[Tokens, ...]] = field(default_factory=dict)
    """The tokens of each following word, in all ways in which it may be written."""


@dataclass(frozen=True)
class PhraseTree:
    """All phrases."""

    root: PhraseNode
    texts: frozenset[str]
    """All of them in all spellings, plain."""
    longest: int
    """Letters of the longest one."""


def build(phrases: Iterable[Phrase], tokenizer: Tokenizer) -> PhraseTree:
    """The tree of ``phrases``. Of those that are written the same the first one counts."""
    root = PhraseNode()
    texts: set[str] = set()
    for phrase in phrases:
        prior = _NATS_OF_BOOST * phrase.boost
        for written in _written(" ".join(phrase.text.split())):
            texts.add(plain(written))
            node = root
            node.most_prior = max(node.most_prior, prior)
            for word in written.split():
                if word not in node.following:
                    node.following[word] = PhraseNode()
                    node.spellings[word] = tuple(_spellings(word, tokenizer))
                node = node.following[word]
                node.most_prior = max(node.most_prior, prior)
            if node is not root and node.phrase is None:
                node.phrase, node.prior = phrase.text, prior
    return PhraseTree(root, frozenset(texts), max(map(len, texts), default=0))


def _written(phrase: str) -> Iterator[str]:
    yield phrase
    for spelling, other in _ALSO_WRITTEN:
        changed = re.sub(rf"\b{spelling}\b", other, phrase)
        if changed != phrase:
            yield changed


def _spellings(word: str, tokenizer: Tokenizer) -> Iterator[Tokens]:
    """A word begins a sentence or does not, or is a name."""
    written = dict.fromkeys((word, word[:1].upper() + word[1:]))
    if len(word) < _ABBREVIATION:
        written[word.upper()] = None
    for spelling in written:
        yield tokenizer.encode(spelling)
