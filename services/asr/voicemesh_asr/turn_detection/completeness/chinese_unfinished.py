"""Chinese that clearly goes on: 然后, 因为, 那个, half a number."""

from __future__ import annotations

from voicemesh.v1 import asr_pb2 as pb
from voicemesh_asr.turn_detection.completeness import chinese_words as zh
from voicemesh_asr.turn_detection.completeness.judge import Judgement

# Whole texts and endings that look unfinished by their last character only.
_COMPLETE_ENDINGS = (
    *(
        "几点",
        "一点",
        "早点",
        "快点",
        "慢点",
        "大点",
        "小点",
        "有点",
        "地点",
        "差点",
        "晚点",
        "多点",
        "少点",
    ),
    *(
        "不对",
        "是不是",
        "对不对",
        "好不好",
        "不太",
        "认为",
        "因为什么",
        "以为",
        "不在",
        "在不在",
        "为什么",
    ),
    *("相比", "对比", "暂停给我", "还给我", "拿给我", "不是", "但是什么"),
)


class ChineseUnfinished:
    """Knows the endings that something has to follow."""

    def judge(self, text: str) -> Judgement | None:
        """See Strategy."""
        plain = zh.characters_of(text)
        if not plain or plain in zh.COMPLETE_ANSWERS:
            return None
        if self._half_number(plain) or self._dangles(plain):
            return Judgement(pb.END_MARK_UNFINISHED, 0.85)
        return None

    def _dangles(self, plain: str) -> bool:
        if plain.endswith(_COMPLETE_ENDINGS):
            return False
        return plain.endswith(zh.UNFINISHED_ENDINGS)

    def _half_number(self, plain: str) -> bool:
        """Three to ten digits at the end: a telephone number under way."""
        tail = len(plain) - len(plain.rstrip("".join(zh.DIGITS)))
        return 3 <= tail < 11
