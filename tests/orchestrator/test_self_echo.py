"""The robot recognises its own words, and never mistakes a user's stop for them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voicemesh_orchestrator.barge_in.self_echo import is_self_echo, repeated_share
from voicemesh_orchestrator.text.words import words

REPLY = (
    "Artificial intelligence is the field that builds machines which learn from examples. "
    "It began in the nineteen fifties."
)
CHINESE_REPLY = "人工智能是研究如何让机器从例子中学习的领域。"


@pytest.mark.parametrize(
    "heard",
    [
        "the field that builds machines",
        "artificial intelligent is the field",
        "machines which learned from example",
        "the field that bills machines witch learn",
        "It began in the nineteen fifties!",
    ],
)
def test_the_robots_own_words_are_recognised(heard: str) -> None:
    assert is_self_echo(heard, REPLY)


@pytest.mark.parametrize("heard", ["让机器从例子中学习", "研究如何让机气从例子中", "人工智能是"])
def test_the_robots_own_chinese_words_are_recognised(heard: str) -> None:
    assert is_self_echo(heard, CHINESE_REPLY)


@pytest.mark.parametrize(
    "heard",
    ["what is the weather tomorrow", "no i meant the other one", "tell me about mars", "", "..."],
)
def test_a_users_words_are_not(heard: str) -> None:
    assert not is_self_echo(heard, REPLY)


@pytest.mark.parametrize("heard", ["不是，我说的是后天", "今天天气怎么样"])
def test_a_users_chinese_words_are_not(heard: str) -> None:
    assert not is_self_echo(heard, CHINESE_REPLY)


@pytest.mark.parametrize(
    ("heard", "reply"),
    [
        ("why is that", "A computer is a machine that follows instructions."),
        ("是谁", "这是人工智能"),
        ("wait", "A robot is a machine that can do what it was told."),
    ],
)
def test_a_short_question_is_not_the_robots_for_a_word_or_two_in_common(
    heard: str, reply: str
) -> None:
    assert not is_self_echo(heard, reply)
    assert is_self_echo(reply, reply)


def test_words_scattered_over_the_reply_are_no_repetition() -> None:
    assert not is_self_echo("it machines field", REPLY)


@pytest.mark.parametrize(
    ("heard", "reply"),
    [
        ("stop", "The bus stop is near."),
        ("the bus stop", "The bus stop is near."),
        ("停", "停车场"),
    ],
)
def test_stop_always_wins(heard: str, reply: str) -> None:
    assert is_self_echo(heard, reply)
    assert not is_self_echo(heard, reply, ["stop", "停"])


def test_without_a_reply_nothing_is_self_speech() -> None:
    assert not is_self_echo("hello there", "")


def test_chinese_is_counted_by_the_character_and_english_by_the_word() -> None:
    assert words("Don’t 停下, please!") == ("dont", "停", "下", "please")


@given(st.text(max_size=40), st.text(max_size=80))
def test_the_share_is_a_share_for_any_text(heard: str, reply: str) -> None:
    assert 0.0 <= repeated_share(heard, reply) <= 1.0


@given(st.lists(st.sampled_from(words(REPLY)), min_size=1, max_size=8))
def test_a_text_repeats_itself(words: list[str]) -> None:
    text = " ".join(words)
    assert repeated_share(text, text) == 1.0


@pytest.mark.parametrize(
    ("heard", "reply"),
    [
        ("1000 people", "Some 1,000 people came."),
        ("1 000 people came", "Some 1 000 people came."),
        ("10 30", "It is 10:30 now."),
        ("3 5 degrees", "It is 3.5 degrees today."),
    ],
)
def test_a_number_is_the_robots_own_however_it_is_written(heard: str, reply: str) -> None:
    assert is_self_echo(heard, reply)
    assert not is_self_echo("what about 2,000 horses", reply)
