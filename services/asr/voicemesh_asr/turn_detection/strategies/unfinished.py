"""Whoever stopped in mid-sentence is thinking: give time."""

from __future__ import annotations

from voicemesh.v1 import asr_pb2 as pb
from voicemesh_asr.turn_detection.strategies.strategy import Situation, Verdict


class Unfinished:
    """Knows that text which is clearly unfinished goes on."""

    def __init__(self, wait_ms: int) -> None:
        """``wait_ms``: the silence that ends even such a turn, in milliseconds."""
        self._wait_ms = wait_ms

    def verdict(self, situation: Situation) -> Verdict | None:
        """See WaitStrategy."""
        if situation.judgement.mark != pb.END_MARK_UNFINISHED:
            return None
        confidence = 1.0 - situation.judgement.confidence
        reason = pb.TURN_REASON_SILENCE_AFTER_UNFINISHED
        return Verdict(self._wait_ms, reason, confidence, finished=False)
