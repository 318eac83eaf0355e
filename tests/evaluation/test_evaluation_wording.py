"""What `voicemesh eval recognition` takes for the same words."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voicemesh_evaluation.recognition.wording import chinese, english
from voicemesh_evaluation.recognition.wording.chinese import cardinal as chinese_cardinal
from voicemesh_evaluation.recognition.wording.distance import errors, length, likeliest, said
from voicemesh_evaluation.recognition.wording.english_numbers import cardinal
from voicemesh_evaluation.words import word_errors


@pytest.mark.parametrize(
    ("spoken", "written"),
    [
        ("one zero zero nine oh two", "100902"),
        ("one zero zero nine oh two", "1-0-0-9-0-2."),
        ("five five", "55"),
        ("fifty five", "55"),
        ("nineteen ninety nine", "1999"),
        ("nineteen oh five", "1905"),
        ("two thousand and five", "2005"),
        ("twenty twenty six", "2026"),
        ("eleven hundred", "1,100"),
        ("a hundred and five", "105"),
        ("one million two hundred thousand", "1,200,000"),
        ("the nineteen nineties", "the 1990s"),
        ("three point one four", "3.14"),
        ("three and a half", "3.5"),
        ("five per cent", "5%"),
        ("three dollars and fifty cents", "$3.50"),
        ("three fifty", "$3.50"),
        ("five million dollars", "$5 million"),
        ("one pound twenty pence", "£1.20"),
        ("the twenty third of may", "The 23rd of May"),
        ("half past ten", "10:30"),
        ("ten o'clock", "10:00"),
        ("seven oh five p m", "7:05 PM"),
        ("uh so um mister brown", "So, Mr. Brown."),
        ("okay let's go", "OK. Let\u2019s go!"),
        ("all right", "alright"),
        ("rather cold hearted", "rather cold-hearted"),
        ("m f a and the u s a", "MFA & the U.S.A."),
        (
            "the centred colour of a travelling organisation",
            "the centered color of a traveling organization",
        ),
    ],
)
def test_the_same_english_words_are_the_same_however_they_are_written(
    spoken: str, written: str
) -> None:
    assert errors(english.wording(spoken), english.wording(written)) == 0
    assert errors(english.wording(written), english.wording(spoken)) == 0


@pytest.mark.parametrize(
    ("spoken", "heard", "wrong"),
    [
        ("five five", "56", 1),
        ("twenty three", "32", 2),
        ("it's fine", "it is fine", 2),
        ("oh dear", "dear", 1),
        ("ten of clubs", "", 3),
        ("", "thank you", 2),
    ],
)
def test_other_english_words_are_errors(spoken: str, heard: str, wrong: int) -> None:
    assert errors(english.wording(spoken), english.wording(heard)) == wrong


@pytest.mark.parametrize(
    ("spoken", "written"),
    [
        ("二零二三年", "2023年"),
        ("两百块", "¥200"),
        ("百分之五", "5%"),
        ("一万零五百", "10500"),
        ("八点半", "8:30"),
        ("三点五", "3.5"),
        ("嗯换一首歌", "換一首歌。"),
        ("我用 WiFi", "我用wifi"),
    ],
)
def test_the_same_chinese_characters_are_the_same_however_they_are_written(
    spoken: str, written: str
) -> None:
    assert errors(chinese.wording(spoken), chinese.wording(written)) == 0


def test_chinese_counts_characters_and_latin_words() -> None:
    assert length(chinese.wording("我用 WiFi。")) == 3
    assert errors(chinese.wording("换一首歌"), chinese.wording("还一首歌吗")) == 2


@given(st.lists(st.sampled_from("abc"), max_size=6), st.lists(st.sampled_from("abc"), max_size=6))
def test_texts_with_one_reading_are_as_far_apart_as_levenshtein_says(
    reference: list[str], hypothesis: list[str]
) -> None:
    slots = [[said(word) for word in words] for words in (reference, hypothesis)]
    assert errors(*slots) == word_errors(reference, hypothesis)


@given(st.integers(0, 10**9))
def test_every_number_is_one_of_its_own_readings(number: int) -> None:
    spoken = [said(word) for word in cardinal(number)]
    assert errors(spoken, english.wording(f"{number:,}")) == 0
    characters = [said(character) for character in chinese_cardinal(number)]
    assert errors(characters, chinese.wording(str(number))) == 0


def test_a_text_has_as_many_words_as_its_likeliest_reading() -> None:
    assert likeliest(english.wording("In 1999, OK?")) == [
        *("in", "one", "thousand", "nine", "hundred", "ninety", "nine", "okay")
    ]
