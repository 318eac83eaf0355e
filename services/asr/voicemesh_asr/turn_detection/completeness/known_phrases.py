"""A phrase that was expected and came is complete."""

from __future__ import annotations

import re
from collections.abc import Iterable

from voicemesh.v1 import asr_pb2 as pb
from voicemesh_asr.turn_detection.completeness.judgement import Judgement

_NO_WORD = re.compile(r"[\W_]+")


def plain(text: str) -> str:
    """The words alone, in lower case."""
    return _NO_WORD.sub(" ", text.lower()).strip()


class KnownPhrases:
    """Knows the phrases that are likely to be said, in any language."""

    def __init__(self, phrases: Iterable[str]) -> None:
        """``phrases``: whole utterances, such as the questions of a knowledge file."""
        self._phrases = frozenset(plain(phrase) for phrase in phrases)

    def judge(self, text: str) -> Judgement | None:
        """See Strategy."""
        if plain(text) in self._phrases:
            return Judgement(pb.END_MARK_SENTENCE, 0.95)
        return None
