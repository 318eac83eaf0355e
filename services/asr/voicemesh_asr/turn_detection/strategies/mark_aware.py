"""Waits by punctuation: less after a whole sentence than after a clause (arXiv 2305.12450)."""

from __future__ import annotations

from voicemesh.v1 import asr_pb2 as pb
from voicemesh_asr.turn_detection.strategies.strategy import SilentTurn, WaitVerdict


class MarkAware:
    """Knows the waits after a sentence and after a clause."""

    def __init__(self, sentence_ms: int, clause_ms: int) -> None:
        """Both in milliseconds."""
        self._waits = {
            pb.END_MARK_SENTENCE: (sentence_ms, pb.TURN_REASON_SILENCE_AFTER_SENTENCE),
            pb.END_MARK_CLAUSE: (clause_ms, pb.TURN_REASON_SILENCE_AFTER_CLAUSE),
        }

    def verdict(self, turn: SilentTurn) -> WaitVerdict | None:
        """See WaitStrategy."""
        found = self._waits.get(turn.judgement.mark)
        return None if found is None else WaitVerdict(*found, turn.judgement.confidence)
