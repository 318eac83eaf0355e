"""Speech-safe text: what is written becomes what is said, traced to its source."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from voicemesh_tts.text.characters import MARKS, speakable
from voicemesh_tts.text.scripts import Reading, primary, scripts_of
from voicemesh_tts.text.speech import SpeechText
from voicemesh_tts.text.units import units

ENGLISH = Reading.of("en")


def say(written: str, reading: Reading = ENGLISH) -> str:
    return SpeechText(reading).spoken(written).text


@pytest.mark.parametrize(
    ("written", "said"),
    [
        # Whole numbers, decimals, signs.
        ("0", "zero"),
        ("I have 21 cups.", "I have twenty one cups."),
        ("107 and 1,204", "one hundred and seven and one thousand two hundred and four"),
        ("1,000,000 people", "one million people"),
        ("3.14", "three point one four"),
        ("It is -5 outside", "It is minus five outside"),
        (
            "1234567890123456789",
            "one two three four five six seven eight nine zero "
            "one two three four five six seven eight nine",
        ),
        # Ordinals and years.
        ("the 1st, 2nd, 3rd, 12th and 20th", "the first, second, third, twelfth and twentieth"),
        ("in 1984", "in nineteen eighty four"),
        ("since 2005", "since two thousand and five"),
        ("by 1905", "by nineteen oh five"),
        ("the 1990s", "the nineteen nineties"),
        # Dates and times.
        ("on 2024-05-17", "on May seventeenth, twenty twenty four"),
        ("May 3rd, 2021", "May third, twenty twenty one"),
        ("4 July 1776", "July fourth, seventeen seventy six"),
        ("5/17/2024", "May seventeenth, twenty twenty four"),
        ("at 10:30", "at ten thirty"),
        ("at 10:05", "at ten oh five"),
        ("at 9:00.", "at nine o'clock."),
        ("at 10:30 pm", "at ten thirty P M"),
        ("at 7 a.m. today", "at seven A M today"),
        ("10:99", "ten: ninety nine"),
        # Saints, streets, rulers and wars.
        ("in St. Petersburg on Main St.", "in Saint Petersburg on Main Street."),
        ("Henry VIII, Mr. Smith Jr. too", "Henry the eighth, Mister Smith Junior too"),
        ("World War II ended", "World War two ended"),
        ("Vitamin V and Apollo X", "Vitamin V and Apollo X"),
        # Money, shares, units.
        ("$5.99", "five dollars and ninety nine cents"),
        ("$1", "one dollar"),
        ("$0.05", "five cents"),
        ("€1,200", "one thousand two hundred euros"),
        ("$5 million", "five million dollars"),
        ("£3.50", "three pounds and fifty pence"),
        ("25%", "twenty five percent"),
        ("-5°C", "minus five degrees Celsius"),
        ("72°F", "seventy two degrees Fahrenheit"),
        ("20 km/h", "twenty kilometers per hour"),
        ("1 kg or 5kg", "one kilogram or five kilograms"),
        ("3 m²", "three square meters"),
        # Strings of digits.
        ("Call 555-123-4567", "Call five five five, one two three, four five six seven"),
        ("+1 650 555 1234", "plus one, six five zero, five five five, one two three four"),
        ("(650) 555-1234", "six five zero, five five five, one two three four"),
        ("v1.2.3", "version one point two point three"),
        # Fractions and ranges.
        ("1/2 cup", "one half cup"),
        ("3/4", "three quarters"),
        ("2/3", "two thirds"),
        ("24/7", "twenty four seven"),
        ("½", "one half"),
        ("10-20 km", "ten to twenty kilometers"),
        ("pages 3–5", "pages three to five"),
        # Signs and letters.
        ("A & B", "A and B"),
        ("2 + 2 = 4", "two plus two equals four"),
        ("3*4", "three times four"),
        ("he/she", "he or she"),
        ("50°", "fifty degrees"),
        ("the GPS and the API", "the G P S and the A P I"),
        ("NASA", "NASA"),
        ("Dr. Smith vs. Mr. Bean", "Doctor Smith versus Mister Bean"),
        ("π", "pi"),
        ("#1", "number one"),
    ],
)
def test_english_is_read_as_people_read_it(written: str, said: str) -> None:
    assert say(written) == said


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("一共123个", "一共一百二十三个"),
        ("我有2个苹果", "我有两个苹果"),
        ("12本书", "十二本书"),
        ("第2名", "第二名"),
        ("2000元", "两千元"),
        ("20000人", "两万人"),
        ("10001次", "一万零一次"),
        ("100000000人", "一亿人"),
        ("10500米", "一万零五百米"),
        ("是3.14吗", "是三点一四吗"),
        ("零下,温度-5度", "零下, 温度负五度"),
        ("2024年5月17日", "二零二四年五月十七日"),
        ("日期2024-05-17", "日期二零二四年五月十七日"),
        ("2月2号", "二月二号"),
        ("现在10:30", "现在十点三十分"),
        ("上午10:05到14:00", "上午十点零五分到十四点"),
        ("2点", "两点"),
        ("降水概率30%", "降水概率百分之三十"),
        ("气温25℃", "气温二十五摄氏度"),
        ("气温-5°C", "气温零下五摄氏度"),
        ("价格¥5.5", "价格五点五元"),
        ("价格$100", "价格一百美元"),
        ("速度60 km/h", "速度六十公里每小时"),
        ("重2 kg", "重两公斤"),
        ("电话13812345678", "电话幺三八幺二三四五六七八"),
        ("电话010-12345678", "电话零幺零, 幺二三四五六七八"),
        ("版本v1.2.3", "版本一点二点三"),
        ("3/4的人", "四分之三的人"),
        ("比分3:2", "比分三比二"),
        ("10-20公里", "十到二十公里"),
        ("5-3=2对吗", "五减三等于二对吗"),
        ("１２３个", "一百二十三个"),
        ("二〇二四", "二零二四"),
        ("你好，世界！", "你好, 世界!"),
        ("《红楼梦》（上）。", "红楼梦, 上."),
        ("~5个", "大约五个"),
        ("2小时30分钟", "两小时三十分钟"),
    ],
)
def test_chinese_is_read_as_people_read_it(written: str, said: str) -> None:
    assert say(written) == said


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("**Hello** _big_ ~~old~~ `world`", "Hello big old world"),
        ("# Title\n\nText", "Title. Text"),
        ("- one\n- two", "one. two."),
        ("1. 打开\n2. 关闭", "一, 打开. 二, 关闭."),
        ("- [x] done", "done."),
        ("> quoted", "quoted"),
        ("| a | b |\n|---|---|\n| c | d |", "a, b. c, d."),
        ("See [the docs](https://x.org/a?b=c).", "See the docs."),
        ("![a cat](cat.png)", "a cat"),
        ("https://www.example.com/path?q=1", "example dot com"),
        ("mail bob@example.com", "mail bob at example dot com"),
        ("网址是 www.baidu.com 哦", "网址是 baidu dot com 哦"),
        ("Run this: ```py\nx = 1\n``` Done.", "Run this: Done."),
        ("Use `pip install`", "Use pip install"),
        ("<think>hidden 1+1</think>Answer.", "Answer."),
        ("<think>never closed", ""),
        ("reasoning first</think>Answer.", "Answer."),
        ("<speak>Hi <break time='1s'/>there</speak>", "Hi, there"),
        ("a <b>bold</b> move", "a bold move"),
        ("Tom &amp; Jerry", "Tom and Jerry"),
        ("Great 😀👍🏽!", "Great!"),
        ("👨‍👩‍👧", ""),
        ("Wait!!! What?!", "Wait! What?"),
        ("Well... maybe — or not", "Well, maybe, or not"),
        ("", ""),
        ("***", ""),
        ("...", ""),
        ("$\\frac{1}{2} \\times x^2$", "one half times x squared"),
        ("snake_case main.py", "snake case main dot py"),
        ("你**好**吗？", "你好吗?"),
        ("<|im_end|>Bye", "Bye"),
    ],
)
def test_what_is_written_for_the_eye_is_skipped_or_read(written: str, said: str) -> None:
    assert say(written) == said


def test_reasoning_and_code_that_a_piece_leaves_open_stay_silent_in_the_next() -> None:
    reply = SpeechText(ENGLISH)
    said = [reply.spoken(piece).text for piece in ("Well <think>one", "two", "three</think> yes.")]
    assert said == ["Well", "", "yes."]


@pytest.mark.parametrize(
    ("language_code", "said"), [("en", "fifty percent"), ("zh-CN", "百分之五十")]
)
def test_text_without_letters_is_read_in_the_language_of_the_stream(
    language_code: str, said: str
) -> None:
    assert say("50%", Reading.of(language_code)) == said


def test_numbers_are_read_in_the_language_around_them() -> None:
    assert say("请看 iPhone 15 的说明") == "请看 iPhone 十五的说明"
    assert say("I paid 15 in 北京 today") == "I paid fifteen in 北京 today"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Hello there.", [("en", "Hello there.", "sentence")]),
        ("你好, 世界!", [("zh", "你好, 世界!", "sentence")]),
        (
            "请打开 Bluetooth 设置.",
            [("zh", "请打开", "none"), ("en", "Bluetooth", "none"), ("zh", "设置.", "sentence")],
        ),
        (
            "I like 北京, ok",
            [("en", "I like", "none"), ("zh", "北京,", "clause"), ("en", "ok", "none")],
        ),
        ("Привет, 5", [("ru", "Привет, 5", "none")]),
        ("こんにちは世界", [("ja", "こんにちは世界", "none")]),
        ("안녕하세요", [("ko", "안녕하세요", "none")]),
        ("مرحبا", [("ar", "مرحبا", "none")]),
        ("One. Two", [("en", "One.", "sentence"), ("en", "Two", "none")]),
    ],
)
def test_units_have_one_language_and_their_ending(
    text: str, expected: list[tuple[str, str, str]]
) -> None:
    assert [(u.language, u.text, u.ending) for u in units(text, ENGLISH, 100)] == expected


def test_long_sentences_are_cut_at_clauses_then_at_words_then_anywhere() -> None:
    text = "one two three, four five six, " + "seven " * 20 + "x" * 90
    cut = list(units(text, ENGLISH, 40))
    assert cut[0].text == "one two three, four five six,"
    assert all(len(unit.text) <= 40 for unit in cut)
    assert "".join(u.text for u in cut).replace(" ", "") == text.replace(" ", "")


def test_a_long_sentence_without_marks_is_cut_where_a_speaker_would_breathe() -> None:
    text = (
        "Artificial intelligence is the science of making machines do things "
        "that would need intelligence if people did them."
    )
    assert [unit.text for unit in units(text, ENGLISH, 100)] == [
        "Artificial intelligence is the science of making machines do things",
        "that would need intelligence if people did them.",
    ]


@pytest.mark.parametrize(
    ("tag", "language"), [("zh-CN", "zh"), ("cmn-Hans", "zh"), ("zh-HK", "yue"), ("en_GB", "en")]
)
def test_tags_name_their_primary_language(tag: str, language: str) -> None:
    assert primary(tag) == language


_PIECES = st.lists(
    st.one_of(
        st.text(max_size=12),
        st.sampled_from(
            [
                *("**", "`", "```", "<think>", "</think>", "[a](b)", "| a | b |", "\n", "\n\n"),
                *("10:30", "$5.99", "2个", "25℃", "3/4", "2024-05-17", "-5", "1,234.5", "v1.2.3"),
                *(
                    "你好",
                    "hello ",
                    "。",
                    "...",
                    "😀",
                    "km/h",
                    "https://a.io/b",
                    "е́",
                    "１２",
                    "$x^2$",
                ),
            ]
        ),
    ),
    max_size=12,
).map("".join)


@settings(max_examples=300, deadline=None)
@given(written=_PIECES, language=st.sampled_from(["en", "zh", "de", "ru", "ja"]))
def test_any_text_becomes_speakable_and_keeps_its_way_back(written: str, language: str) -> None:
    reading = Reading.of(language)
    spoken = SpeechText(reading).spoken(written)
    assert len(spoken.begins) == len(spoken.ends) == len(spoken.text)
    assert all(speakable(char) for char in spoken.text)
    assert all(0 <= a < b <= len(written) for a, b in zip(spoken.begins, spoken.ends, strict=True))
    assert spoken.begins == sorted(spoken.begins)
    assert spoken.ends == sorted(spoken.ends)
    assert not any(
        a in MARKS and b in MARKS for a, b in zip(spoken.text, spoken.text[1:], strict=False)
    )
    position = 0
    for unit in units(spoken.text, reading, 30):
        assert unit.begin >= position
        assert spoken.text[unit.begin : unit.end] == unit.text
        assert 0 < len(unit.text) <= 30
        position = unit.end


def test_kept_words_stand_for_themselves() -> None:
    written = "**Hi** [you](http://x.io) 12 😀 end"
    spoken = SpeechText(ENGLISH).spoken(written)
    for word, source in (("Hi", "Hi"), ("you", "you"), ("twelve", "12"), ("end", "end")):
        at = spoken.text.index(word)
        assert written[spoken.begins[at] : spoken.ends[at + len(word) - 1]] == source


def test_the_voicing_marks_of_decomposed_kana_belong_to_the_japanese_word() -> None:
    text = unicodedata.normalize("NFD", "東京ガス会社です")
    assert set(scripts_of(text)) == {"kana"}
