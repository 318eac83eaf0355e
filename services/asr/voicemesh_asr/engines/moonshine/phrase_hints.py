"""Takes an expected phrase for what was said, where it is likely and like the text."""

from __future__ import annotations

from functools import lru_cache

from voicemesh_asr.engines.engine import Phrase
from voicemesh_asr.engines.moonshine.network import Decoded, MoonshineNetwork
from voicemesh_asr.engines.moonshine.phrase_search import FoundPhrase, PhraseSearch
from voicemesh_asr.engines.moonshine.phrase_tree import PhraseTree, build
from voicemesh_asr.engines.moonshine.revision import Piece
from voicemesh_asr.engines.moonshine.tokenizer import Tokenizer
from voicemesh_asr.engines.redecoding.phrase_likeness import likeness, plain

_TREES = 8
"""Trees that are kept: as many sets of phrases as there are kinds of conversations."""
_MOST_DIFFERENT = 0.65
"""The share of letters from which on a phrase is not what the network heard."""
_MOST_LONGER = 2.0
"""By what factor text and phrase may differ in length: a short phrase is always likelier than
a long text, for it has fewer tokens to be unlikely."""
_STRICTNESS = 0.7
"""How much of the margin a phrase loses that has no letter in common with the text."""


class PhraseHints:
    """Hears expected phrases better. See Revision.

    A phrase is taken that the network finds nearly as likely as its own text, the more
    so the less the two differ in their letters. A text that is an expected phrase itself
    stays, and so does one that is longer than any of them.
    """

    def __init__(self, margin: float) -> None:
        """``margin``: by how much less likely than the text a phrase may be, in nats."""
        self._margin = margin
        self._prepared = lru_cache(_TREES)(_prepare)

    def revise(self, network: MoonshineNetwork, piece: Piece, decoded: Decoded) -> Decoded:
        """The phrase that was said, or ``decoded``."""
        if not (piece.is_final and piece.is_whole and piece.phrases and decoded.tokens):
            return decoded
        tree, search = self._prepared(piece.phrases, network.tokenizer)
        text = network.text(decoded)
        said = plain(text)
        if said in tree.texts or not said or len(said) > _MOST_LONGER * tree.longest:
            return decoded
        total = float(decoded.log_probabilities.sum())
        found = search.find(network, piece.encoded, total - self._margin, piece.counter)
        for candidate in found:
            if candidate.log_probability >= total - self._margin_of(text, candidate):
                return candidate.decoded
        return decoded

    def _margin_of(self, text: str, candidate: FoundPhrase) -> float:
        """How much less likely than ``text`` it may be; minus infinity: it is too different."""
        like = likeness(text, candidate.phrase)
        if like.distance > _MOST_DIFFERENT or like.length_ratio > _MOST_LONGER:
            return float("-inf")
        return self._margin * (1 - _STRICTNESS * like.distance)


def _prepare(phrases: tuple[Phrase, ...], tokenizer: Tokenizer) -> tuple[PhraseTree, PhraseSearch]:
    tree = build(phrases, tokenizer)
    return tree, PhraseSearch(tree, tokenizer)
