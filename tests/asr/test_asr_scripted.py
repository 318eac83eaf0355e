"""Scripts of words with times drive the turn detectors without sound or recogniser."""

from __future__ import annotations

import pytest

from voicemesh.errors import InvalidArgument
from voicemesh.registry import installed
from voicemesh.v1 import asr_pb2 as pb
from voicemesh_asr.turn_detection.scripted import Words, play

START, EAGER, RESUMED, END = (
    pb.TURN_EVENT_TYPE_START_OF_TURN,
    pb.TURN_EVENT_TYPE_EAGER_END_OF_TURN,
    pb.TURN_EVENT_TYPE_TURN_RESUMED,
    pb.TURN_EVENT_TYPE_END_OF_TURN,
)
MS = 16


def said(*parts: str, pause_ms: int = 0) -> Words:
    """Characters of 200 ms; a pause between the parts."""
    words, at = [], 8_000
    for part in parts:
        for character in part:
            words.append((character, at, at + 200 * MS))
            at += 200 * MS
        at += pause_ms * MS
    return words


def test_a_whole_question_ends_when_its_text_and_the_silence_are_there() -> None:
    words = said("今天天气怎么样")
    events = play(words, "adaptive", lag_ms=0)
    assert [event.type for event in events] == [START, EAGER, END]
    assert events[-1].transcript.text == "今天天气怎么样"
    wait = events[-1].sample - words[-1][2]
    assert 300 * MS <= wait < 340 * MS


def test_a_slow_recogniser_makes_the_end_later() -> None:
    words = said("今天天气怎么样")
    slow = play(words, "adaptive", lag_ms=400)[-1]
    assert slow.sample - words[-1][2] >= 550 * MS


def test_who_pauses_in_mid_sentence_is_waited_for_but_not_by_silence_alone() -> None:
    words = said("因为", "我没有时间", pause_ms=900)
    adaptive = [event.type for event in play(words, "adaptive")]
    silence = [event.type for event in play(words, "silence")]
    assert adaptive.count(END) == 1
    assert silence.count(END) == 2


def test_a_pause_that_looked_like_the_end_is_taken_back() -> None:
    events = play(said("你好", "请打开灯", pause_ms=220), "adaptive")
    kinds = [event.type for event in events]
    assert kinds == [START, EAGER, RESUMED, EAGER, END]
    assert events[-1].transcript.text == "你好请打开灯"


def test_unknown_detectors_and_empty_scripts_are_refused() -> None:
    with pytest.raises(InvalidArgument, match="known are: adaptive, marks, silence"):
        play(said("你好"), "psychic")
    with pytest.raises(InvalidArgument, match="says nothing"):
        play([], "adaptive")


def test_it_is_announced() -> None:
    assert installed("voicemesh.turn_scripts")["asr"] is play
