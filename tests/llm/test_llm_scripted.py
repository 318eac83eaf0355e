from __future__ import annotations

from datetime import datetime
from pathlib import Path

import pytest

from voicemesh.errors import SettingsError
from voicemesh_llm import knowledge
from voicemesh_llm.engines.engine import Finish, Finished, Message, Prompt, Role, TextDelta
from voicemesh_llm.engines.scripted.clock import clock_slots
from voicemesh_llm.engines.scripted.engine import ScriptedModel
from voicemesh_llm.engines.scripted.matching import Matcher, ways_to_ask
from voicemesh_llm.engines.scripted.settings import ScriptedSettings

AFTERNOON = datetime(2026, 11, 20, 15, 5)


def user(text: str) -> Message:
    return Message(Role.USER, (text,))


def assistant(text: str) -> Message:
    return Message(Role.ASSISTANT, (text,))


async def answer(
    *messages: Message | str, settings: ScriptedSettings | None = None, **options: object
) -> str:
    model = ScriptedModel(settings or ScriptedSettings(), now=lambda: AFTERNOON)
    await model.load()
    said = tuple(user(m) if isinstance(m, str) else m for m in messages)
    events = [event async for event in model.generate(Prompt(said, **options))]  # type: ignore[arg-type]  # options are Prompt's fields
    await model.close()
    assert isinstance(events[-1], Finished)
    return "".join(event.text for event in events if isinstance(event, TextDelta))


@pytest.fixture(scope="module")
def matchers() -> dict[str, Matcher]:
    entries = knowledge.load()
    return {language: Matcher(entries, language) for language in knowledge.LANGUAGES}


@pytest.mark.parametrize("language", knowledge.LANGUAGES)
def test_every_way_to_ask_finds_its_own_entry(
    language: knowledge.LanguageName, matchers: dict[str, Matcher]
) -> None:
    for entry in knowledge.load():
        phrasing = entry.phrasing(language)
        assert phrasing is not None, f"{entry.id} is not in {language}"
        for question in ways_to_ask(phrasing, language):
            found = matchers[language].match(question)
            assert found is not None, question
            assert found.entry.id == entry.id, question


def test_there_are_enough_topics_and_they_can_be_spoken() -> None:
    english = knowledge.questions("en")
    assert len(english) >= 45
    assert len(english) == len(knowledge.questions("zh")) == len(set(english))
    assert all(q == q.lower() and q.replace(" ", "").isalpha() for q in english)


@pytest.mark.parametrize(
    ("heard", "meant"),
    [
        ("what's artificial intelligence", "artificial_intelligence"),
        ("WHAT IS ARTIFICIAL INTELLIGENCE?!", "artificial_intelligence"),
        ("artificial intelligence what is it", "artificial_intelligence"),
        ("what is our official intelligence", "artificial_intelligence"),
        ("hey robot can you tell me what artificial intelligence is", "artificial_intelligence"),
        ("Ｗｈａｔ　ｉｓ　ＡＩ？", "artificial_intelligence"),
        ("what is photo synthesis", "photosynthesis"),
        ("what is machine learn", "machine_learning"),
        ("um what is a robots", "robot"),
        ("what time as it", "time"),
        ("whats the time please", "time"),
        ("how much battery do you have left", "battery_level"),
        ("tell me joke", "joke"),
        ("could you please tell me a joke", "joke"),
        ("what's your name", "name"),
        ("so who made you", "maker"),
        ("what can you do for me", "abilities"),
        ("tell me about the moon please", "moon"),
        ("why the sky is blue", "blue_sky"),
        ("thank you so much", "thanks"),
        ("good bye robot", "goodbye"),
    ],
)
def test_misheard_and_reordered_english_is_understood(
    heard: str, meant: str, matchers: dict[str, Matcher]
) -> None:
    found = matchers["en"].match(heard)
    assert found is not None
    assert found.entry.id == meant


@pytest.mark.parametrize(
    ("heard", "meant"),
    [
        ("人工智能是什么", "artificial_intelligence"),
        ("请问一下人工智能是什么啊", "artificial_intelligence"),
        ("什么是ＡＩ？", "artificial_intelligence"),
        ("什么是 机器 学习", "machine_learning"),
        ("月亮离地球有多远", "moon"),
        ("天为什么是蓝色的", "blue_sky"),
        ("请问现在几点了", "time"),
        ("今天是几号呢", "date"),
        ("你叫什么名字啊", "name"),
        ("给我讲一个笑话吧", "joke"),
        ("你现在还有多少电", "battery_level"),
        ("谢谢你啊", "thanks"),
    ],
)
def test_chinese_is_understood_by_its_characters(
    heard: str, meant: str, matchers: dict[str, Matcher]
) -> None:
    found = matchers["zh"].match(heard)
    assert found is not None
    assert found.entry.id == meant


@pytest.mark.parametrize(
    "question",
    [
        "what is the capital of france",
        "who is albert einstein",
        "how do i cook pasta",
        "what is the meaning of life",
        "what is a television",
        "open the door",
        "what is the stock price of apple",
        "turn left",
        "blah",
        "...",
        "法国的首都是哪里",
        "什么是电视",
        "怎么做红烧肉",
        "苹果的股价是多少",
        "打开门",
    ],
)
async def test_what_is_not_known_is_said_plainly_in_the_language_of_the_question(
    question: str,
) -> None:
    said = await answer(question)
    assert "不是语言模型" in said if question[0] > "\u3000" else "not a language model" in said
    assert "openai" in said


async def test_time_and_date_are_those_of_the_clock_in_both_languages() -> None:
    assert await answer("what time is it") == "It is three oh five in the afternoon."
    assert await answer("现在几点了") == "现在是下午三点零五分。"
    date = "Today is Friday, November twentieth, twenty twenty six."
    assert await answer("what is the date today") == date
    assert await answer("今天几号") == "今天是二零二六年十一月二十日，星期五。"
    assert "Saturday" in await answer("what day is tomorrow")


@pytest.mark.parametrize(
    ("hour", "minute", "english", "chinese"),
    [
        (0, 0, "midnight", "凌晨零点整"),
        (2, 30, "two thirty in the morning", "凌晨两点三十分"),
        (9, 5, "nine oh five in the morning", "上午九点零五分"),
        (12, 0, "noon", "中午十二点整"),
        (14, 0, "two o'clock in the afternoon", "下午两点整"),
        (23, 59, "eleven fifty nine in the evening", "晚上十一点五十九分"),
    ],
)
def test_times_of_day(hour: int, minute: int, english: str, chinese: str) -> None:
    now = datetime(2005, 1, 31, hour, minute)
    assert clock_slots(now, "en")["time"] == english
    assert clock_slots(now, "zh")["time"] == chinese
    assert clock_slots(now, "en")["date"] == "January thirty first, two thousand five"
    assert clock_slots(now, "en")["date_tomorrow"] == "February first, two thousand five"


async def test_robot_status_comes_from_the_facts() -> None:
    facts = {"Battery-Percent": "80%", "location": "the kitchen", "temperature": "21"}
    assert await answer("how much battery is left", facts=facts) == "My battery is at 80 percent."
    assert "the kitchen" in await answer("where are you", facts=facts)
    assert "21 degrees Celsius" in await answer("what is the temperature", facts=facts)
    assert await answer("电量还有多少", facts=facts) == "电量还有百分之80。"
    status = await answer("what is your status", facts=facts)
    assert "battery percent 80%" in status
    assert "kitchen" in status


async def test_a_fact_of_the_robots_own_naming_can_be_asked_for() -> None:
    said = await answer("what is your serial number", facts={"serial_number": "x seven"})
    assert said == "The robot reports serial number: x seven."


async def test_what_the_robot_did_not_report_is_said() -> None:
    assert "did not report" in await answer("how much battery is left")
    assert "没有报告" in await answer("你在哪里")
    assert "did not report" in await answer("what is your status", facts={})


async def test_say_that_again_repeats_the_last_reply() -> None:
    history = (user("who made you"), assistant("People did."))
    assert await answer(*history, "say that again") == "People did."
    assert await answer(*history, "再说一遍") == "People did."
    assert "not said anything" in await answer("say that again")


async def test_tell_me_more_goes_on_with_the_topic_before() -> None:
    history = (user("what is the moon"), assistant("A satellite."))
    assert "1969" in await answer(*history, "tell me more")
    assert "all that I have" in await answer(user("hello"), assistant("Hello!"), "tell me more")


async def test_a_second_joke_is_another_one_and_the_same_prompt_gets_the_same_answer() -> None:
    first = await answer("tell me a joke")
    history = (user("tell me a joke"), assistant(first))
    second = await answer(*history, "tell me another joke")
    assert first != second
    assert second == await answer(*history, "tell me another joke")


async def test_the_language_code_decides_the_language_of_the_answer() -> None:
    assert "人工智能" in await answer("what is artificial intelligence", language_code="zh-CN")
    assert await answer("三加五等于几", language_code="en") == "3 plus 5 is 8."


async def test_text_comes_in_small_pieces_and_stops_at_the_length() -> None:
    model = ScriptedModel(ScriptedSettings())
    await model.load()
    prompt = Prompt((user("what is the moon"),), max_output_tokens=5)
    events = [event async for event in model.generate(prompt)]
    assert events[-1].reason is Finish.LENGTH  # type: ignore[union-attr]  # the last is Finished
    assert [e.text for e in events[:3]] == ["The ", "moon ", "is "]  # type: ignore[union-attr]
    chinese = [e async for e in model.generate(Prompt((user("什么是人工智能"),)))]
    assert all(len(e.text) <= 3 for e in chinese if isinstance(e, TextDelta))


async def test_an_own_knowledge_file_adds_and_replaces(tmp_path: Path) -> None:
    own = tmp_path / "own.toml"
    own.write_text(
        """
[[entry]]
id = "opening_hours"
[entry.en]
question = "when does the museum open"
answers = ["At nine."]

[[entry]]
id = "name"
[entry.en]
question = "what is your name"
answers = ["I am {name} of the museum."]
""",
        encoding="utf-8",
    )
    settings = ScriptedSettings(knowledge_files=(own,), assistant_name_en="Bo")
    assert await answer("when does the museum open", settings=settings) == "At nine."
    assert await answer("what is your name", settings=settings) == "I am Bo of the museum."
    assert "satellite" in await answer("what is the moon", settings=settings)
    only_own = ScriptedSettings(knowledge_files=(own,), built_in_knowledge=False)
    assert "not a language model" in await answer("what is the moon", settings=only_own)
    # Asked for in a language that the entry lacks, it answers in the other.
    assert await answer("when does the museum open", settings=settings, language_code="zh")


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("[[entry]\n", "no TOML"),
        ('[[entry]]\nid = "Bad Id"\n', "entry.0.id"),
        ('[[entry]]\nid = "a"\n[entry.en]\nquestion = "q"\nanswers = []\n', "entry.0.en.answers"),
        ('[[entry]]\nid = "a"\ncolour = "red"\n', "colour"),
    ],
)
async def test_a_wrong_knowledge_file_is_named_with_its_mistake(
    text: str, what: str, tmp_path: Path
) -> None:
    own = tmp_path / "own.toml"
    own.write_text(text)
    model = ScriptedModel(ScriptedSettings(knowledge_files=(own,)))
    with pytest.raises(SettingsError, match=what) as raised:
        await model.load()
    assert "own.toml" in str(raised.value)


async def test_a_missing_knowledge_file_is_an_error() -> None:
    model = ScriptedModel(ScriptedSettings(knowledge_files=(Path("/nowhere/own.toml"),)))
    with pytest.raises(SettingsError, match="cannot be read"):
        await model.load()


async def test_a_very_long_utterance_is_no_trouble() -> None:
    assert "not a language model" in await answer("spam ham eggs " * 20_000)
    assert "不是语言模型" in await answer("垃圾邮件" * 20_000)
