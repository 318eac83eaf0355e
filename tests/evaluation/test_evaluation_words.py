from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from voicemesh_evaluation.words import content_share, word_errors, words

sentences = st.lists(st.sampled_from("abcd"), max_size=8)


def test_replaced_inserted_and_missing_words_count_once_each() -> None:
    said = words("What is the speed of light?")
    assert word_errors(said, words("what is the speed of light")) == 0
    assert word_errors(said, words("what is a speed of light")) == 1
    assert word_errors(said, words("what is the the speed of light")) == 1
    assert word_errors(said, words("what is the speed")) == 2
    assert word_errors(said, []) == 6


@given(sentences, sentences)
def test_word_errors_are_a_distance(one: list[str], other: list[str]) -> None:
    errors = word_errors(one, other)
    assert errors == word_errors(other, one)
    assert (errors == 0) == (one == other)
    assert abs(len(one) - len(other)) <= errors <= max(len(one), len(other))


def test_only_content_words_count_in_a_reply() -> None:
    found = content_share("The moon is a natural satellite of the earth.", "the moon of the earth")
    assert found == (2, 4)
    assert content_share("", "anything") == (0, 0)
