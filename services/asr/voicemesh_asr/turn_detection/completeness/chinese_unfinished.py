"""Chinese that clearly goes on: 然后, 因为, 那个, 把音量, half a number."""

from __future__ import annotations

import re

from voicemesh.v1 import asr_pb2 as pb
from voicemesh_asr.turn_detection.completeness import chinese_words as zh
from voicemesh_asr.turn_detection.completeness.judgement import Judgement

_UNFINISHED = Judgement(pb.END_MARK_UNFINISHED, 0.85)
# Who is spoken of again at the end is about to do something: "他说他".
_PERSON_AGAIN = re.compile(r".[说问想知道觉得][你我他她它您]们?$")
_TURNED_INTO = re.compile(r"[变当做换改写设调译看听叫画弄]成$")
# What is known, thought or heard is a sentence of its own: "我想知道树叶" is none yet.
_KNOWN = re.compile(r"(知道|觉得|认为|以为|听说|希望|记得|发现)(.{1,5})$")
# Who is asked to do something, and what he is to do with nothing yet: "帮我订".
_ASKED_TO_DO = re.compile(
    r"^(请|麻烦)?你?(帮我|给我|替我|请你?|麻烦你).$"
    r"|^(请|麻烦你|帮我|你|给我)*(打开|关闭|关掉|播放|查一下|找一下|推荐|预订|提醒|翻译)$"
)
# What is told, and to whom: the message is to come.
_TOLD = re.compile(r"^(请|帮我|你)?(告诉|通知|提醒|让)([^我].{0,2}|我)$")
_MANNER = ("慢慢", "好好", "渐渐", "仅仅", "刚刚", "偷偷")
# The thing that is described is to come, unless the description is what is told:
# "这本书的", but "这本书是我的".
_DESCRIBES = re.compile(r"[是有要吃喝买穿用爱谁哪几怎]|喜欢|什么|多少")
# Mobile telephones have 11 digits; room numbers and passwords may have four.
_LONGEST_NUMBER, _SHORTEST_CODE = 11, 4
# No verb is known in it, yet it is too long to be only what the verb is for.
_LONGEST_THING = 5


class ChineseUnfinished:
    """Knows the endings that something has to follow."""

    def judge(self, text: str) -> Judgement | None:
        """See Strategy."""
        plain = zh.characters_of(text)
        if not plain or plain in zh.COMPLETE_ANSWERS or plain in zh.BARE_QUESTIONS:
            return None
        if (
            self._half_number(plain)
            or self._dangles(plain)
            or self._half_phrase(plain)
            or self._lacks_what_is_done(plain)
        ):
            return _UNFINISHED
        return None

    def _dangles(self, plain: str) -> bool:
        if plain.endswith(zh.COMPLETE_ENDINGS):
            return False
        if plain.endswith("的"):
            return len(plain) > 2 and not _DESCRIBES.search(plain[:-1])
        if plain.endswith("成"):
            return _TURNED_INTO.search(plain) is not None
        if plain.endswith("到"):
            return "从" in plain
        return plain.endswith(zh.UNFINISHED_ENDINGS)

    def _half_phrase(self, plain: str) -> bool:
        """A preposition has its noun, but the verb for which it stands there is to come."""
        if plain.endswith(zh.FINAL_PARTICLES):
            return False
        for preposition in ("把", "从", "比", "离"):
            _, found, thing = plain.rpartition(preposition)
            if found and 1 < len(thing.replace("到", "")) <= _LONGEST_THING:
                known = zh.has_adjective(thing) if preposition == "比" else False
                verb = zh.last_verb(thing.replace("到", "〓")) >= 0
                return not (known or verb or thing[0] in "赛如")  # 比赛, 比如
        return False

    def _lacks_what_is_done(self, plain: str) -> bool:
        """Somebody is named who is to do or to hear something, but not what."""
        told = _TOLD.search(plain)
        if told and zh.last_verb(told[3]) < 0:
            return True
        known = _KNOWN.search(plain)
        if known and not zh.has_predicate(known[2]) and not known[2].endswith(zh.FINAL_PARTICLES):
            return not any(form in plain for form in zh.QUESTION_FORMS)
        return (
            plain.endswith(_MANNER)
            or _ASKED_TO_DO.search(plain) is not None
            or _PERSON_AGAIN.search(plain) is not None
        )

    def _half_number(self, plain: str) -> bool:
        """A telephone number under way, or fewer digits than a code has."""
        tail = len(plain) - len(plain.rstrip("".join(zh.DIGITS)))
        if zh.CODES.search(plain):
            return 0 < tail < _SHORTEST_CODE
        return 3 <= tail < _LONGEST_NUMBER
