"""The completeness judge: what texts end with, in English and Chinese."""

import pytest

from voicemesh.v1 import asr_pb2 as pb
from voicemesh_asr.turn_detection.completeness.doubted_marks import weighed_by_doubted_mark
from voicemesh_asr.turn_detection.completeness.judge import CompletenessJudge, default_judge
from voicemesh_asr.turn_detection.completeness.judgement import (
    HARDLY_WHOLE,
    LIKELY_WHOLE,
    NO_MARK,
    Judgement,
)

SENTENCES = """
why is it raining|where is it|how many are there
what time is it|what is artificial intelligence|how are you|what can you do|where are you from
who are you talking to|what is water made of|what does the heart do|tell me a joke|turn on the light
turn the light on|start over|stop|yes|no thank you|yes i am|i think so
be quiet|be quiet please|oh really|quiet|my name is jack
is there any milk left|do you speak chinese|what is twelve plus seven|i'm tired|please come here
What time is it?|It is late.|what is it like|good morning|what are you called
现在几点了|你叫什么名字|你好吗|今天天气怎么样|我们走吧|打开客厅的灯|重新开始|好的|是的|讲个笑话
你会不会唱歌
please tell me where the station is|what can i buy|which one do you like|who is coming
do you like it
could you turn the music down|do not touch that|is the door open
虽然很贵但是很好|除了苹果还有什么|先去厨房再去客厅吧|把门打开|把音量调大一点
你什么时候出生的|查一下状态|你真棒|你帮我看看|月亮离地球有多远|这本书是谁的|什么是人工智能
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
does the museum|where did you|how does a battery|when will the bus|why do cats|is the door
what time does the
if it rains|when you get home|unless you|who wrote|where can i buy|can you open|bring me
tell my wife|i was wondering
i think that|have you ever|wake me up at half past|set a timer for ten|who was the first
yes and then i|put it near
如果明天下雨|虽然很贵|先去厨房|一边听音乐|等我回来以后|吃饭的时候|当你看到红灯|不管你去不去
把音量|从这里到|从上海|月亮离地球|这件衣服比那件|这本书的|世界上最高的|帮我订|告诉小王|请你慢慢
他说他|我正在
我的密码是二零|请把这句话翻译成|有没有
给我推荐|如果|给我讲一个|但是|一三八|嗯|十二加|比如说
""".strip().replace("\n", "|")

CLAUSES = "when you are done,|你回来以后，|play|it costs 3."
STATEMENTS = (
    "my brother lives in london|in the morning i drink coffee|tomorrow is my first day|我在北京工作"
    "|晚上八点提醒我吃药|他昨天没有来|当你看到红灯就停下来|这个比那个便宜|我的密码是二零八六"
)
UNCLEAR = "|the big red house|北京上海|why"
BEGINNINGS = (
    "谁|为什么猫|三张|飞机几点|谁写了|明天是我|把下个星期一的会议|what is the capital"
    "|你为什么|怎么才能|昨天来的那个人|请在六点半"
    "|there is|we are going|how much is fifty|put the book|i cannot remember where"
)


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


@pytest.mark.parametrize("text", STATEMENTS.split("|"))
def test_statements_are_likely_whole(text: str) -> None:
    assert default_judge().judge(text) == LIKELY_WHOLE


@pytest.mark.parametrize("text", BEGINNINGS.split("|"))
def test_what_is_whole_only_for_who_knows_more_is_hardly_whole(text: str) -> None:
    assert default_judge().judge(text) == HARDLY_WHOLE


@pytest.mark.parametrize("text", ["do it", "do that", "have fun", "do you"])
def test_commands_are_no_half_questions(text: str) -> None:
    unfinished = default_judge().judge(text).mark == pb.END_MARK_UNFINISHED
    assert unfinished == (text == "do you")


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


DOUBTED = [
    ("I want to go to the.", pb.END_MARK_UNFINISHED),
    ("The big red house.", pb.END_MARK_NONE),
    ("What time is it?", pb.END_MARK_SENTENCE),
    ("Turn on the light.", pb.END_MARK_SENTENCE),
    ("Turn on the light,", pb.END_MARK_CLAUSE),
    ("And then we...", pb.END_MARK_UNFINISHED),
    ("今天天气怎么样。", pb.END_MARK_SENTENCE),
    ("北京和。", pb.END_MARK_UNFINISHED),
    (".", pb.END_MARK_SENTENCE),
    ("", pb.END_MARK_NONE),
]


@pytest.mark.parametrize(("text", "mark"), DOUBTED)
def test_where_a_stop_tells_nothing_the_words_do(text: str, mark: pb.EndMark.ValueType) -> None:
    assert default_judge().judge(text, stops_tell=False).mark == mark


def test_a_stop_behind_words_that_are_hardly_whole_makes_nobody_wait_longer() -> None:
    assert weighed_by_doubted_mark(HARDLY_WHOLE, ".") == NO_MARK
    assert weighed_by_doubted_mark(LIKELY_WHOLE, ".") == LIKELY_WHOLE
    assert weighed_by_doubted_mark(HARDLY_WHOLE, "") == HARDLY_WHOLE
