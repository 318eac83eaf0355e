"""What the words mean that are said over a reply."""

from __future__ import annotations

import pytest

from voicemesh_orchestrator.barge_in.classifier import SHORT_MS, InterruptionClassifier, Situation
from voicemesh_orchestrator.text.words import words
from voicemesh_orchestrator.turn.verdict import Verdict

CLASSIFIER = InterruptionClassifier()
STORY = Situation("Once upon a time there was a king.")
ASKED = Situation("Do you want to hear more?")


@pytest.mark.parametrize(
    "text",
    ["uh-huh", "Mm.", "yeah", "Right!", "okay okay", "I see", "oh yeah, right", "嗯", "嗯嗯，对",
     "好的", "是的", "原来如此", "对对对", "OK，好的", "oh, I see", "Okay, right.", "That's right!",
     "Very interesting!", "how nice", "oh that's great", "哦，是吗", "嗯，有道理", "确实"],
)  # fmt: skip
def test_sounds_of_listening_are_no_interruption(text: str) -> None:
    assert CLASSIFIER.classify(text, STORY, final=True) is Verdict.BACKCHANNEL


@pytest.mark.parametrize(
    "text",
    ["what time is it", "yeah but why", "okay next question", "不是，后天", "等一下",
     "对了，几点了"],
)  # fmt: skip
def test_enough_words_are_an_interruption_at_once_over_a_sound_that_is_not_short(
    text: str,
) -> None:
    assert CLASSIFIER.classify(text, STORY, final=False) is Verdict.INTERRUPTION
    assert CLASSIFIER.classify(text, STORY, final=False, voiced_ms=SHORT_MS) is Verdict.INTERRUPTION


@pytest.mark.parametrize(
    "text",
    [
        "the other day",
        "stop",
        "be quiet",
        "uh huh",
        "there was a king",
        "对了，几点了",
        "停",
        "好的",
    ],
)
def test_nothing_is_decided_in_the_middle_of_a_short_sound(text: str) -> None:
    for situation in (STORY, ASKED):
        verdict = CLASSIFIER.classify(text, situation, final=False, voiced_ms=SHORT_MS - 1)
        assert verdict is Verdict.UNCLEAR


@pytest.mark.parametrize(
    ("text", "verdict"),
    [("stop", Verdict.HARD_STOP), ("uh huh", Verdict.BACKCHANNEL),
     ("tell me", Verdict.INTERRUPTION),
     ("停", Verdict.HARD_STOP), ("对", Verdict.BACKCHANNEL), ("后天", Verdict.INTERRUPTION)],
)  # fmt: skip
def test_a_short_sound_is_decided_on_when_it_is_over(text: str, verdict: Verdict) -> None:
    assert CLASSIFIER.classify(text, STORY, final=True, voiced_ms=250) is verdict


@pytest.mark.parametrize("text", ["no no", "tell me", "后天"])
def test_the_fewest_words_interrupt_when_the_user_has_said_them(text: str) -> None:
    assert CLASSIFIER.classify(text, STORY, final=False) is Verdict.UNCLEAR
    assert CLASSIFIER.classify(text, STORY, final=True) is Verdict.INTERRUPTION


@pytest.mark.parametrize(("text", "longer"), [("on the", "put it on the"), ("因为", "因为明天")])
def test_two_words_that_break_off_are_too_little(text: str, longer: str) -> None:
    assert CLASSIFIER.classify(text, STORY, final=True, unfinished=True) is Verdict.UNCLEAR
    assert CLASSIFIER.classify(f"ah, {text}", STORY, final=True, unfinished=True) is Verdict.UNCLEAR
    assert CLASSIFIER.classify(longer, STORY, final=True, unfinished=True) is Verdict.INTERRUPTION


@pytest.mark.parametrize("text", ["wait", "What?", "不"])
def test_one_word_that_claims_the_floor_is_believed_when_it_stands_alone(text: str) -> None:
    assert CLASSIFIER.classify(text, STORY, final=False) is Verdict.UNCLEAR
    assert CLASSIFIER.classify(text, STORY, final=True) is Verdict.INTERRUPTION


@pytest.mark.parametrize("text", ["blue", "yeah blue", "天", "how", "but"])
def test_one_other_word_is_too_little(text: str) -> None:
    assert CLASSIFIER.classify(text, STORY, final=True) is Verdict.UNCLEAR


@pytest.mark.parametrize("text", ["", " ", "...", "？"])
def test_nothing_understood_is_silence(text: str) -> None:
    assert CLASSIFIER.classify(text, ASKED, final=True) is Verdict.SILENT


@pytest.mark.parametrize("text", ["yeah", "嗯", "right", "blue"])
def test_after_a_question_everything_is_an_answer(text: str) -> None:
    assert CLASSIFIER.classify(text, ASKED, final=False) is Verdict.INTERRUPTION
    assert (
        CLASSIFIER.classify(text, Situation("你想继续听吗？"), final=False) is Verdict.INTERRUPTION
    )


def test_before_anything_is_heard_any_word_goes_on_with_the_question() -> None:
    thinking = Situation(audible=False)
    assert CLASSIFIER.classify("Paris", thinking, final=False) is Verdict.INTERRUPTION
    assert CLASSIFIER.classify("uh-huh", thinking, final=True) is Verdict.BACKCHANNEL


@pytest.mark.parametrize(
    "text", ["stop", "Stop!", "please stop", "robot, be quiet", "stop stop stop", "stop it now",
             "停", "停停停", "别说了", "请安静", "闭嘴吧"],
)  # fmt: skip
def test_a_command_to_be_quiet_wins(text: str) -> None:
    assert CLASSIFIER.classify(text, ASKED, final=False) is Verdict.HARD_STOP


@pytest.mark.parametrize(
    ("text", "only"),
    [("stop", True), ("okay stop please", True), ("好了别说了", True), ("停", True),
     ("stop and tell me the time", False), ("okay", False), ("停车场在哪里", False)],
)  # fmt: skip
def test_a_command_with_a_question_is_answered(text: str, only: bool) -> None:
    assert CLASSIFIER.only_stop(text) is only


@pytest.mark.parametrize("text", ["fair enough", "Oh, fair enough."])
def test_a_command_within_a_sound_of_listening_is_none(text: str) -> None:
    assert CLASSIFIER.classify(text, STORY, final=True) is Verdict.BACKCHANNEL
    assert CLASSIFIER.classify("enough", STORY, final=True) is Verdict.HARD_STOP


def test_the_robots_own_words_are_an_echo() -> None:
    assert CLASSIFIER.classify("there was a king", STORY, final=False) is Verdict.ECHO


def test_thresholds_and_lists_can_be_set() -> None:
    judge = InterruptionClassifier(4, 3, hard_stops=["halt"], backchannels=["roger"])
    assert judge.classify("tell me more", STORY, final=False) is Verdict.UNCLEAR
    assert judge.classify("后天", STORY, final=False) is Verdict.UNCLEAR
    assert judge.classify("roger", STORY, final=True) is Verdict.BACKCHANNEL
    assert judge.classify("halt", STORY, final=False) is Verdict.HARD_STOP


@pytest.mark.parametrize("text", ["うん", "ええ", "カメラ"])
def test_a_word_in_kana_is_a_word_and_no_row_of_chinese_characters(text: str) -> None:
    assert len(words(text)) == 1
    situation = Situation("今日は天気がいいです", audible=True)
    verdict = CLASSIFIER.classify(text, situation, final=True, voiced_ms=2_000)
    assert verdict is Verdict.UNCLEAR
