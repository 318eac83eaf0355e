"""Chinese that sounds complete: particles, questions, answers, commands, statements."""

from __future__ import annotations

import re

from voicemesh.v1 import asr_pb2 as pb
from voicemesh_asr.turn_detection.completeness import chinese_words as zh
from voicemesh_asr.turn_detection.completeness.judgement import LIKELY_WHOLE, Judgement

# "热不热", "喜不喜欢": a question by repeating the verb.
_VERB_NOT_VERB = re.compile(r"(.)[不没]\1.|(.)[不没]\2$")
# "多远", "多大", but not "很多人".
_HOW_MUCH = re.compile(r"(?<![很太许好差不更最])多[大高远久长少重深快热冷宽厚贵难]")
_POLITE_ENDINGS = ("一下", "一点", "一些", "一遍", "一次", "见", "谢谢", "感谢", "好")
_SHORTEST_STATEMENT = 4
# "说说", "看看", "查一下状态".
_FRIENDLY_COMMAND = re.compile(r"([说看试听讲聊想找查])\1$|一下..")


class ChineseComplete:
    """Knows the forms of whole sentences. Comes after what is clearly unfinished."""

    def judge(self, text: str) -> Judgement | None:
        """See Strategy."""
        plain = zh.characters_of(text)
        if not plain:
            return None
        if plain in zh.COMPLETE_ANSWERS or plain.endswith(zh.FINAL_PARTICLES):
            return Judgement(pb.END_MARK_SENTENCE, 0.9)
        if self._asks(plain):
            return Judgement(pb.END_MARK_SENTENCE, 0.85)
        if zh.DESCRIBED.search(plain) or _FRIENDLY_COMMAND.search(plain):
            return Judgement(pb.END_MARK_SENTENCE, 0.65)
        if plain.endswith(_POLITE_ENDINGS):
            return Judgement(pb.END_MARK_SENTENCE, 0.7)
        if plain.endswith("了"):
            return Judgement(pb.END_MARK_SENTENCE, 0.75)
        if len(plain) >= 3 and plain.startswith(zh.IMPERATIVES):
            return Judgement(pb.END_MARK_SENTENCE, 0.7)
        return self._statement(plain)

    def _asks(self, plain: str) -> bool:
        return (
            any(form in plain for form in zh.QUESTION_FORMS)
            or _HOW_MUCH.search(plain) is not None
            or _VERB_NOT_VERB.search(plain) is not None
        )

    def _statement(self, plain: str) -> Judgement | None:
        """A verb with something behind it, or an adjective: perhaps only a first clause."""
        if len(plain) < _SHORTEST_STATEMENT or (plain.endswith(zh.TIMES) and "是" not in plain):
            return None
        if (
            0 <= zh.last_verb(plain) < len(plain)
            or zh.has_adjective(plain[-2:])
            or plain.endswith(zh.INTRANSITIVE_ENDINGS)
        ):
            return LIKELY_WHOLE
        return None
