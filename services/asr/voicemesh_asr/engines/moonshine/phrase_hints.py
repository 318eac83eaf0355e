"""Takes an expected phrase for what was said, where it is likely and sounds like it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache

from voicemesh.audio import Samples
from voicemesh_asr.engines.engine import Phrase
from voicemesh_asr.engines.moonshine.network import RATE_HERTZ, Decoded, MoonshineNetwork
from voicemesh_asr.engines.moonshine.phrase_search import FoundPhrase, PhraseSearch
from voicemesh_asr.engines.moonshine.phrase_tree import PhraseTree, build
from voicemesh_asr.engines.moonshine.revision import Piece
from voicemesh_asr.engines.moonshine.tokenizer import Tokenizer
from voicemesh_asr.engines.redecoding.phrase_likeness import Contest, likeness, plain
from voicemesh_asr.engines.redecoding.spelled_alike import spelled_alike

_TREES = 8
"""Trees that are kept: as many sets of phrases as there are kinds of conversations."""
_LONGEST_S = 6
"""Seconds of an utterance that may be a phrase, silence included."""
_MOST_LONGER = 2.0
"""By what factor text and phrase may differ in length: a short phrase is always likelier than
a long text, for it has fewer tokens to be unlikely."""
_MOST_COMPARED = 8
"""The likeliest phrases, which are compared by sound."""
_CONTRADICTED = 1 / 3
"""The share of the margin that is left where the text sounds better than any phrase; and how
far its letters may differ then, unless the phrase has a boost: for sounds of listening the
network writes words that are spelt otherwise, "Don't share" for "oh sure"."""
_CONTRADICTED_DISTANCE, _CONTRADICTED_LONGER = 0.5, 1.7
_NO_WORD_DISTANCE = 0.34
"""The share of letters in which a phrase may differ, however unlikely it is, from a text that
has words that there are not: "pedracognition"."""
_UNSURE_DISTANCE, _STRICTNESS = 0.65, 0.7
"""Where sound tells nothing: the share of letters that may differ, and how much of the margin a
phrase loses that has no letter in common with the text."""
_INTERJECTIONS = frozenset(
    ("uh", "um", "ah", "hm", "hmm", "mm", "mmm", "mmhmm", "uhhuh", "huh", "well")
)
"""Texts that stay though nobody hints them. The network writes them seldom, and hardly ever for
a word; where it does so in doubt, some expected word always sounds better: "Mm-hmm" is "what"."""


class PhraseHints:
    """Hears expected phrases better. See Revision.

    A phrase is taken that the network finds about as likely as its own text, if it sounds
    better; or, if sound does not tell, the more so the less the two differ in their
    letters. A phrase's boost makes it likelier. A text that is an expected phrase itself,
    or an interjection, stays.
    """

    def __init__(self, margin: float, contest: Contest) -> None:
        """``margin``: by how much less likely than the text a phrase may be, in nats."""
        self._margin = margin
        self._contest = contest
        self._prepared = lru_cache(_TREES)(_prepare)

    def revise(self, network: MoonshineNetwork, piece: Piece, decoded: Decoded) -> Decoded:
        """The phrase that was said, or ``decoded``."""
        if not (piece.is_whole and piece.phrases and decoded.tokens):
            return decoded
        if len(piece.samples) > _LONGEST_S * RATE_HERTZ:
            return decoded
        # With an interim text already: a final one is waited for.
        tree, search = self._prepared(piece.phrases, network.tokenizer)
        if not piece.is_final:
            return decoded
        text = network.text(decoded)
        said = plain(text)
        if said in tree.texts or said in _INTERJECTIONS:
            return replace(decoded, is_expected=True)
        if not said or len(said) > _MOST_LONGER * tree.longest:
            return decoded
        total = float(decoded.log_probabilities.sum())
        encoded = decoded.encoded or piece.encoded
        candidates = [
            found
            for found in search.find(network, encoded, total - self._margin, piece.counter)
            if likeness(text, found.phrase).length_ratio <= _MOST_LONGER
        ][:_MOST_COMPARED]
        chosen = self._choose(text, total, candidates, piece.samples)
        if chosen is not None:
            return replace(chosen.decoded, is_expected=True)
        if not self._contest.can_say(text):
            for phrase in spelled_alike(text, piece.phrases, _NO_WORD_DISTANCE)[:1]:
                tokens = network.tokenizer.encode(phrase[:1].upper() + phrase[1:])
                (scored,) = network.score(encoded, [tokens], piece.counter)
                return replace(scored, is_expected=True)
        return decoded

    def confirms(
        self, network: MoonshineNetwork, piece: Piece, phrase: Decoded, other: Decoded
    ) -> bool:
        """Whether the utterance sounds no less like a phrase than like another text."""
        text = network.text(phrase)
        winner = self._contest.winner(piece.samples, [network.text(other), text])
        return winner is None or winner == text

    def _choose(
        self, text: str, total: float, candidates: Sequence[FoundPhrase], samples: Samples
    ) -> FoundPhrase | None:
        if not candidates:
            return None
        winner = self._contest.winner(samples, [text, *(found.phrase for found in candidates)])
        for found in candidates:
            if winner in (None, text):
                like = likeness(text, found.phrase)
                if winner is None:
                    close = like.distance <= _UNSURE_DISTANCE
                    margin = self._margin * (1 - _STRICTNESS * like.distance)
                else:
                    close = (
                        found.prior > 0 or like.distance <= _CONTRADICTED_DISTANCE
                    ) and like.length_ratio <= _CONTRADICTED_LONGER
                    margin = self._margin * _CONTRADICTED
                if close and found.score >= total - margin:
                    return found
            elif found.phrase == winner:
                return found
        return None


def _prepare(phrases: tuple[Phrase, ...], tokenizer: Tokenizer) -> tuple[PhraseTree, PhraseSearch]:
    tree = build(phrases, tokenizer)
    return tree, PhraseSearch(tree, tokenizer)
