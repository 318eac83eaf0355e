"""The beginning of an expected phrase is not the whole of it."""

from __future__ import annotations

from collections.abc import Iterable

from voicemesh.v1 import asr_pb2 as pb
from voicemesh_asr.turn_detection.completeness.judgement import Judgement
from voicemesh_asr.turn_detection.completeness.known_phrases import plain

# One word begins too many phrases to tell anything.
_FEWEST_WORDS = 2


class PhraseBeginnings:
    """Knows how expected phrases begin; only spaces part words. Comes after KnownPhrases."""

    def __init__(self, phrases: Iterable[str]) -> None:
        """``phrases``: whole utterances."""
        beginnings: set[str] = set()
        for phrase in phrases:
            words = plain(phrase).split()
            beginnings.update(" ".join(words[:count]) for count in range(_FEWEST_WORDS, len(words)))
        self._beginnings = frozenset(beginnings)

    def judge(self, text: str) -> Judgement | None:
        """See Strategy."""
        if plain(text) in self._beginnings:
            return Judgement(pb.END_MARK_UNFINISHED, 0.7)
        return None
