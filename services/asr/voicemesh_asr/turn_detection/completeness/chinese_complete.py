"""Chinese that sounds complete: particles, questions, answers, commands."""

from __future__ import annotations

import re

from voicemesh.v1 import asr_pb2 as pb
from voicemesh_asr.turn_detection.completeness import chinese_words as zh
from voicemesh_asr.turn_detection.completeness.judge import Judgement

# "热不热", "喜不喜欢": a question by repeating the verb.
_VERB_NOT_VERB = re.compile(r"(.)[不没]\1")
_POLITE_ENDINGS = ("一下", "一点", "一些", "一遍", "一次", "见", "谢谢", "感谢", "好")


class ChineseComplete:
    """Knows the forms of whole sentences. Comes after what is clearly unfinished."""

    def judge(self, text: str) -> Judgement | None:
        """See Strategy."""
        plain = zh.characters_of(text)
        if not plain:
            return None
        if plain in zh.COMPLETE_ANSWERS or plain.endswith(zh.FINAL_PARTICLES):
            return Judgement(pb.END_MARK_SENTENCE, 0.9)
        if any(form in plain for form in zh.QUESTION_FORMS):
            return Judgement(pb.END_MARK_SENTENCE, 0.85)
        if "多" in plain[1:-1] or _VERB_NOT_VERB.search(plain):
            return Judgement(pb.END_MARK_SENTENCE, 0.8)
        if plain.endswith(_POLITE_ENDINGS):
            return Judgement(pb.END_MARK_SENTENCE, 0.7)
        if plain.endswith("了"):
            return Judgement(pb.END_MARK_SENTENCE, 0.75)
        if len(plain) >= 3 and plain.startswith(zh.IMPERATIVES):
            return Judgement(pb.END_MARK_SENTENCE, 0.7)
        if len(plain) >= 4 and plain[0] in "我你您他她它这那":
            # A statement: it may be the whole of it, or the first clause.
            return Judgement(pb.END_MARK_CLAUSE, 0.55)
        return None
