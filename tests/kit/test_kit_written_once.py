"""Small things that every room needs and that are written once, in the kit."""

from __future__ import annotations

import pytest

from voicemesh.backoff import Backoff
from voicemesh.enums import short_name
from voicemesh.heartbeats import HeartbeatCounter, echo_of
from voicemesh.v1 import asr_pb2, common_pb2, dialog_pb2
from voicemesh.writing import has_han, is_han


def test_enum_values_are_named_without_their_type() -> None:
    assert short_name(common_pb2.Stage, common_pb2.STAGE_ASR) == "asr"
    assert short_name(common_pb2.ErrorCode, common_pb2.ERROR_CODE_BUSY) == "busy"
    outcome = dialog_pb2.TURN_OUTCOME_NOTHING_HEARD
    assert short_name(dialog_pb2.TurnOutcome, outcome) == "nothing_heard"
    assert short_name(asr_pb2.TurnReason, asr_pb2.TURN_REASON_MAX_LENGTH) == "max_length"


def test_an_enum_value_of_a_newer_version_has_a_name_too() -> None:
    assert short_name(common_pb2.Stage, 77) == "unknown_77"


def test_waits_double_up_to_the_longest_and_begin_anew() -> None:
    backoff = Backoff(0.5, 3.0)
    assert [backoff.next_s() for _ in range(4)] == [0.5, 1.0, 2.0, 3.0]
    assert backoff.next_s() == 3.0
    backoff.reset()
    assert backoff.next_s() == 0.5


def test_a_heartbeat_is_sent_back_and_its_echo_is_not() -> None:
    counter = HeartbeatCounter()
    assert counter.next(1.0).sequence == 1
    beat = counter.next(2.5)
    assert (beat.sequence, beat.sent_ms, beat.echo) == (2, 2500, False)
    echo = echo_of(beat)
    assert echo is not None
    assert (echo.sequence, echo.sent_ms, echo.echo) == (2, 2500, True)
    assert echo_of(echo) is None


@pytest.mark.parametrize("character", "中〇々龦㐀𠮷豈")
def test_chinese_characters_of_all_planes_are_known(character: str) -> None:
    assert is_han(character)
    assert has_han(f"a {character}")


@pytest.mark.parametrize("character", ["a", "，", "。", "あ", "ー", "é", "1", "", "中国"])
def test_marks_kana_and_letters_are_no_chinese_characters(character: str) -> None:
    assert not is_han(character)
