"""The completeness judge: what texts end with, in English and Chinese."""

import pytest

from voicemesh.v1 import asr_pb2 as pb
from voicemesh_asr.turn_detection.completeness.judge import (
    CompletenessJudge,
    Judgement,
    default_judge,
)

SENTENCES = """
why is it raining|where is it|how many are there
what time is it|what is artificial intelligence|how are you|what can you do|where are you from
who are you talking to|what is water made of|what does the heart do|tell me a joke|turn on the light
turn the light on|start over|stop|yes|no thank you|yes i am|i think so
my name is jack
is there any milk left|do you speak chinese|what is twelve plus seven|i'm tired|please come here
What time is it?|It is late.|what is it like|good morning|what are you called
现在几点了|你叫什么名字|你好吗|今天天气怎么样|我们走吧|打开客厅的灯|重新开始|好的|是的|讲个笑话|你会不会唱歌
十二加七等于几|为什么天空是蓝色的|我吃完了|请帮我关灯|你好！|太阳有多热|不是
""".strip().replace("\n", "|")

UNFINISHED = """
what is|where is the|i would like to|turn on the|tell me about|because
i want|and then i|what is the capital of
what is twelve plus|my number is five five
it is very|um|can you|the answer is|i want to go to the market and
I would like to.|well...|set the volume to|how old are|three point
然后|因为|我想
因为下雨所以|请帮我把灯打开然后|那个|我的名字是|我要去北京和
could you please|why is it|which bus goes|how many people
如果|给我讲一个|但是|一三八|嗯|十二加|比如说
""".strip().replace("\n", "|")

CLAUSES = "when you are done,|你回来以后，|play|it costs 3."
UNCLEAR = "|the big red house|北京上海"


@pytest.mark.parametrize("text", SENTENCES.split("|"))
def test_whole_sentences_are_recognised(text: str) -> None:
    assert default_judge().judge(text).mark == pb.END_MARK_SENTENCE


@pytest.mark.parametrize("text", UNFINISHED.split("|"))
def test_texts_that_go_on_are_recognised(text: str) -> None:
    assert default_judge().judge(text).mark == pb.END_MARK_UNFINISHED


@pytest.mark.parametrize("text", CLAUSES.split("|"))
def test_clauses_are_told_from_sentences(text: str) -> None:
    assert default_judge().judge(text).mark == pb.END_MARK_CLAUSE


@pytest.mark.parametrize("text", UNCLEAR.split("|"))
def test_what_tells_nothing_has_no_mark(text: str) -> None:
    assert default_judge().judge(text).mark == pb.END_MARK_NONE


def test_an_expected_phrase_is_complete_whatever_the_rules_say() -> None:
    assert default_judge().judge("the big red house").mark == pb.END_MARK_NONE
    judge = default_judge(["The big, red house!", "北京上海"])
    assert judge.judge("the big red house").mark == pb.END_MARK_SENTENCE
    assert judge.judge("北京上海。").mark == pb.END_MARK_SENTENCE


def test_the_first_strategy_with_an_opinion_counts() -> None:
    class Silent:
        def judge(self, text: str) -> Judgement | None:
            return None

    class Always:
        def __init__(self, mark: pb.EndMark.ValueType) -> None:
            self.mark = mark

        def judge(self, text: str) -> Judgement | None:
            return Judgement(self.mark, 1.0)

    judge = CompletenessJudge([Silent(), Always(pb.END_MARK_CLAUSE), Always(pb.END_MARK_SENTENCE)])
    assert judge.judge("anything").mark == pb.END_MARK_CLAUSE
