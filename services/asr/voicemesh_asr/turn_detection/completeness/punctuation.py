"""What the recogniser's own punctuation says, in any language."""

from __future__ import annotations

from voicemesh.v1 import asr_pb2 as pb
from voicemesh_asr.turn_detection.completeness.judgement import Judgement

CLOSING = "\"'”’»)]}）】」』 "
_SENTENCE = "?!？！。"
_CLAUSE = ",;:，；：、"
_UNFINISHED = ("...", "…", "-", "–", "—")


class Punctuation:
    """Looks at the last character."""

    def judge(self, text: str) -> Judgement | None:
        """See Strategy."""
        text = text.rstrip(CLOSING)
        if text.endswith(_UNFINISHED):
            return Judgement(pb.END_MARK_UNFINISHED, 0.8)
        last = text[-1:]
        if last and last in _SENTENCE:
            return Judgement(pb.END_MARK_SENTENCE, 0.95)
        if last == ".":
            # "3." may be the beginning of "3.5".
            half_number = text[-2:-1].isdigit()
            mark = pb.END_MARK_CLAUSE if half_number else pb.END_MARK_SENTENCE
            return Judgement(mark, 0.6 if half_number else 0.9)
        if last and last in _CLAUSE:
            return Judgement(pb.END_MARK_CLAUSE, 0.7)
        return None
