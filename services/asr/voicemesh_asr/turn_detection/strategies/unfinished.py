"""Long waits after unfinished text: whoever stopped in mid-sentence is thinking."""

from __future__ import annotations

from voicemesh.v1 import asr_pb2 as pb
from voicemesh_asr.turn_detection.completeness.judgement import HARDLY_WHOLE
from voicemesh_asr.turn_detection.strategies.strategy import SilentTurn, WaitVerdict

# From here on a text is clearly unfinished.
_SURE = 0.7
# Without a mark, what is less likely whole than this seems to go on.
_HARDLY = HARDLY_WHOLE.confidence


class Unfinished:
    """Knows that text which is unfinished goes on, and gives less time where that is less sure."""

    def __init__(self, wait_ms: int, unsure_ms: int) -> None:
        """The silences that end even such a turn, in milliseconds.

        ``wait_ms``: where it is clearly unfinished; ``unsure_ms``: where it seems so.
        """
        self._wait_ms = wait_ms
        self._unsure_ms = unsure_ms

    def verdict(self, turn: SilentTurn) -> WaitVerdict | None:
        """See WaitStrategy."""
        judgement = turn.judgement
        if judgement.mark == pb.END_MARK_UNFINISHED:
            whole = 1.0 - judgement.confidence
            wait_ms = self._wait_ms if judgement.confidence >= _SURE else self._unsure_ms
        elif judgement.mark == pb.END_MARK_NONE and judgement.confidence < _HARDLY:
            whole = judgement.confidence
            wait_ms = self._unsure_ms
        else:
            return None
        reason = pb.TURN_REASON_SILENCE_AFTER_UNFINISHED
        return WaitVerdict(wait_ms, reason, whole, finished=False)
