"""How long to wait before a turn counts as over."""

from __future__ import annotations

from dataclasses import dataclass

from voicemesh.v1 import asr_pb2 as pb

_REASONS = {
    pb.END_MARK_SENTENCE: pb.TURN_REASON_SILENCE_AFTER_SENTENCE,
    pb.END_MARK_CLAUSE: pb.TURN_REASON_SILENCE_AFTER_CLAUSE,
    pb.END_MARK_UNFINISHED: pb.TURN_REASON_SILENCE_AFTER_UNFINISHED,
}


@dataclass(frozen=True)
class Waits:
    """Silences in milliseconds.

    The waits after a sentence, after a clause and otherwise follow arXiv
    2305.12450, which cuts a transcript at its punctuation after 300, 400 and
    700 ms.
    """

    sentence_end_ms: int = 300
    clause_end_ms: int = 400
    no_mark_ms: int = 700
    unfinished_ms: int = 1200
    eager_ms: int = 150
    max_turn_ms: int = 30_000

    def after(self, mark: pb.EndMark.ValueType) -> int:
        """The silence that ends a turn whose text ends with ``mark``, in milliseconds."""
        return {
            pb.END_MARK_SENTENCE: self.sentence_end_ms,
            pb.END_MARK_CLAUSE: self.clause_end_ms,
            pb.END_MARK_UNFINISHED: self.unfinished_ms,
        }.get(mark, self.no_mark_ms)


def silence_reason(mark: pb.EndMark.ValueType) -> pb.TurnReason.ValueType:
    """The reason of an end of turn by silence after text that ends with ``mark``."""
    return _REASONS.get(mark, pb.TURN_REASON_SILENCE)
