"""Waits after text without punctuation that is likely a whole sentence all the same.

Rules cannot name the form of every sentence. Where a text has no mark but the form
of a statement, or is as long as a whole sentence to a robot usually is, the
speaker has more likely finished than where two words are known.
"""

from __future__ import annotations

import re

from voicemesh.v1 import asr_pb2 as pb
from voicemesh.writing import HAN
from voicemesh_asr.turn_detection.completeness.judgement import NO_MARK
from voicemesh_asr.turn_detection.strategies.strategy import SilentTurn, WaitVerdict

# A word of Latin text weighs as much as two Chinese characters.
_WORD = re.compile(rf"[^\W\d_{HAN}]+(?:['’][a-z]+)?|\d+")
_CHARACTER = re.compile(f"[{HAN}]")
_ENOUGH_WORDS = 5.0
# How far from the wait after nothing towards that after a clause.
_STATEMENT_SHARE, _LONG_SHARE = 2 / 3, 1 / 2


class LikelyWhole:
    """Knows statements and long texts. Comes after the marks; what is hardly whole is not its."""

    def __init__(self, clause_ms: int, no_mark_ms: int) -> None:
        """Waits after a clause and after nothing, in milliseconds; it waits between them."""
        self._clause_ms = min(clause_ms, no_mark_ms)
        self._no_mark_ms = no_mark_ms

    def verdict(self, turn: SilentTurn) -> WaitVerdict | None:
        """See WaitStrategy."""
        sure = turn.judgement.confidence
        if sure > NO_MARK.confidence:
            share = _STATEMENT_SHARE
        elif sure == NO_MARK.confidence and _words(turn.text) >= _ENOUGH_WORDS:
            share = _LONG_SHARE
        else:
            return None
        wait_ms = round(self._no_mark_ms + share * (self._clause_ms - self._no_mark_ms))
        return WaitVerdict(wait_ms, pb.TURN_REASON_SILENCE, sure)


def _words(text: str) -> float:
    return len(_WORD.findall(text)) + len(_CHARACTER.findall(text)) / 2
