"""Chinese that is whole only for who knows more: 三张, 飞机几点, 为什么猫."""

from __future__ import annotations

import re

from voicemesh_asr.turn_detection.completeness import chinese_words as zh
from voicemesh_asr.turn_detection.completeness.judgement import HARDLY_WHOLE, Judgement

# "三张" may be an answer, or wait for its noun; "换下一首" is whole.
_MEASURED = re.compile(rf"(?<![下上])[{''.join(sorted(zh.DIGITS))}几这那每][{zh.MEASURES}]$")
# What is written, bought or forgotten often comes behind 了: "谁写了", "不要忘了".
_DONE_TO_SOMETHING = re.compile(r"[写买看吃喝听做说拿带借卖找学用丢忘记放画建发明]了$")
# "飞机几点": leaves, or lands? But "现在几点".
_ASKS_WHEN = re.compile(r"(?<!现在)(?<!是)(几点|什么时候|哪天|多久)$")
# A question word in front asks for more than one word: "为什么猫" is only half of it.
_ASKS_FOR_SENTENCE = re.compile(r"^(为什么|为何|什么时候|何时)(.{1,4})$")
# "明天是我": whose turn, or whose what?
_IS_SOMEBODY = re.compile(r"..是[你我他她它您]们?$")
# "你为什么", "怎么才能": what is asked about comes behind it.
_ASKS_WHY = re.compile(r".(为什么|为何)$|才能$")
# "昨天来的那个人": somebody is described, and nothing said of him.
_DESCRIBED_THING = re.compile(rf"的[那这][{zh.MEASURES}](.{{1,3}})$")
# When something is to be done, and nothing more: "请在六点半".
_ASKED_AT = re.compile(rf"^(请|麻烦你|帮我)?在[{''.join(sorted(zh.DIGITS))}十]+点([半钟]|一刻)?$")
# 把 and a long thing, in which no verb is known: it may be one that is not.
_TAKES_SOMETHING_LONG = re.compile(r"把(.{6,})$")


class ChineseBeginnings:
    """Knows what often goes on. Comes after punctuation, and before what sounds complete."""

    def judge(self, text: str) -> Judgement | None:
        """See Strategy."""
        plain = zh.characters_of(text)
        if not plain or plain in zh.COMPLETE_ANSWERS:
            return None
        return HARDLY_WHOLE if self._goes_on(plain) else None

    def _goes_on(self, plain: str) -> bool:
        if plain in zh.BARE_QUESTIONS:
            return True  # The whole of the question, or its first word.
        forms = (
            _MEASURED,
            _DONE_TO_SOMETHING,
            _ASKS_WHEN,
            _IS_SOMEBODY,
            _ASKS_WHY,
            _ASKED_AT,
        )
        if any(form.search(plain) for form in forms):
            return True
        asked = _ASKS_FOR_SENTENCE.search(plain)
        if asked and not zh.has_predicate(asked[2]):
            return True
        thing = _DESCRIBED_THING.search(plain)
        if thing and not zh.has_predicate(thing[1]):
            return True
        taken = _TAKES_SOMETHING_LONG.search(plain)
        return taken is not None and zh.last_verb(taken[1]) < 0
