"""Silence alone: the same wait whatever was said."""

from __future__ import annotations

from voicemesh.v1 import asr_pb2 as pb
from voicemesh_asr.turn_detection.strategies.strategy import SilentTurn, WaitVerdict


class FixedSilence:
    """Always has an opinion; comes last."""

    def __init__(self, wait_ms: int) -> None:
        """``wait_ms``: the silence that ends a turn, in milliseconds."""
        self._wait_ms = wait_ms

    def verdict(self, turn: SilentTurn) -> WaitVerdict:
        """See WaitStrategy."""
        return WaitVerdict(self._wait_ms, pb.TURN_REASON_SILENCE, turn.judgement.confidence)
