"""Much was said, and nothing of it tells that more comes.

Rules cannot name the form of every sentence. Where a text has no mark but is as
long as a whole sentence to a robot usually is, the speaker has more likely
finished than where two words are known.
"""

from __future__ import annotations

import re

from voicemesh.v1 import asr_pb2 as pb
from voicemesh_asr.turn_detection.strategies.strategy import Situation, Verdict

# A word of Latin text weighs as much as two Chinese characters.
_WORD = re.compile(r"[^\W\d_㐀-鿿]+(?:['’][a-z]+)?|\d+")
_CHINESE = re.compile(r"[㐀-鿿]")
_ENOUGH_WORDS = 5.0
# Between the waits after a clause and after nothing: which half of the way.
_SHARE = 0.5


class LongText:
    """Knows long texts that end with nothing that ends anything."""

    def __init__(self, clause_ms: int, no_mark_ms: int) -> None:
        """Waits after a clause and after nothing, in milliseconds; it waits between them."""
        self._wait_ms = round(no_mark_ms + _SHARE * (min(clause_ms, no_mark_ms) - no_mark_ms))

    def verdict(self, situation: Situation) -> Verdict | None:
        """See WaitStrategy."""
        text = situation.text
        words = len(_WORD.findall(text)) + len(_CHINESE.findall(text)) / 2
        if words < _ENOUGH_WORDS:
            return None
        return Verdict(self._wait_ms, pb.TURN_REASON_SILENCE, situation.judgement.confidence)
