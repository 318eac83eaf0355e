"""What a text ends with, and who has an opinion on it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from voicemesh.v1 import asr_pb2 as pb


@dataclass(frozen=True)
class Judgement:
    """What a text ends with."""

    mark: pb.EndMark.ValueType
    confidence: float
    """0 to 1; how sure the strategy is that the speaker has finished, or that not."""


class Strategy(Protocol):
    """Judges texts that it understands."""

    def judge(self, text: str) -> Judgement | None:
        """An opinion on ``text``, which is not empty; None: no opinion."""


class TextEvidence(Protocol):
    """Weighs what the strategies say with what else is known."""

    def weighed(self, text: str, judgement: Judgement) -> Judgement:
        """``judgement`` of ``text``, which is not empty, or a better one."""


NO_MARK = Judgement(pb.END_MARK_NONE, 0.5)
# It ends with nothing that ends anything, and yet it may be whole; or it rather is not.
LIKELY_WHOLE = Judgement(pb.END_MARK_NONE, 0.6)
HARDLY_WHOLE = Judgement(pb.END_MARK_NONE, 0.45)
