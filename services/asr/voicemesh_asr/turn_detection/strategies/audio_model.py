"""Waits by the audio turn model, which has heard how it was said."""

from __future__ import annotations

from voicemesh.v1 import asr_pb2 as pb
from voicemesh_asr.turn_detection.strategies.strategy import SilentTurn, WaitVerdict


class AudioModel:
    """Waits little where the model hears an end, long where it hears that more comes.

    Between the two thresholds the model does not know, and others are asked.
    """

    def __init__(
        self, complete_ms: int, unfinished_ms: int, complete_from: float, unfinished_below: float
    ) -> None:
        """Waits in milliseconds; thresholds are probabilities of a complete turn, 0 to 1."""
        self._complete_ms = complete_ms
        self._unfinished_ms = unfinished_ms
        self._complete_from = complete_from
        self._unfinished_below = unfinished_below

    def verdict(self, turn: SilentTurn) -> WaitVerdict | None:
        """See WaitStrategy."""
        likely = turn.complete
        if likely is None:
            return None
        if likely >= self._complete_from:
            return WaitVerdict(self._complete_ms, pb.TURN_REASON_MODEL, likely)
        if likely < self._unfinished_below:
            return WaitVerdict(self._unfinished_ms, pb.TURN_REASON_MODEL, likely, finished=False)
        return None
