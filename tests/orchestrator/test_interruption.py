"""What the words mean that are said over a reply."""

from __future__ import annotations

import pytest

from voicemesh_orchestrator.interruption import InterruptionJudge, Situation, Verdict

JUDGE = InterruptionJudge()
STORY = Situation("Once upon a time there was a king.")
ASKED = Situation("Do you want to hear more?")


@pytest.mark.parametrize(
    "text",
    ["uh-huh", "Mm.", "yeah", "Right!", "okay okay", "I see", "oh yeah, right", "嗯", "嗯嗯，对",
     "好的", "是的", "原来如此", "对对对", "OK，好的"],
)  # fmt: skip
def test_sounds_of_listening_are_no_interruption(text: str) -> None:
    assert JUDGE.judge(text, STORY, final=True) is Verdict.BACKCHANNEL


@pytest.mark.parametrize(
    "text",
    ["what time is it", "yeah but why", "okay next question", "不是，后天", "等一下",
     "对了，几点了"],
)  # fmt: skip
def test_enough_words_are_an_interruption_at_once(text: str) -> None:
    assert JUDGE.judge(text, STORY, final=False) is Verdict.INTERRUPTION


@pytest.mark.parametrize("text", ["no no", "tell me"])
def test_two_words_interrupt_when_the_user_has_said_them_and_they_are_believed(text: str) -> None:
    assert JUDGE.judge(text, STORY, final=False) is Verdict.UNCLEAR
    assert JUDGE.judge(text, STORY, final=True) is Verdict.INTERRUPTION
    assert JUDGE.judge(text, STORY, final=True, confidence=0.8) is Verdict.INTERRUPTION
    assert JUDGE.judge(text, STORY, final=True, confidence=0.02) is Verdict.UNCLEAR


@pytest.mark.parametrize("text", ["wait", "What?", "不"])
def test_one_word_that_claims_the_floor_is_believed_when_it_stands_alone(text: str) -> None:
    assert JUDGE.judge(text, STORY, final=False) is Verdict.UNCLEAR
    assert JUDGE.judge(text, STORY, final=True) is Verdict.INTERRUPTION


@pytest.mark.parametrize("text", ["blue", "yeah blue", "天"])
def test_one_other_word_is_too_little(text: str) -> None:
    assert JUDGE.judge(text, STORY, final=True) is Verdict.UNCLEAR


@pytest.mark.parametrize("text", ["", " ", "...", "？"])
def test_nothing_understood_is_silence(text: str) -> None:
    assert JUDGE.judge(text, ASKED, final=True) is Verdict.SILENT


@pytest.mark.parametrize("text", ["yeah", "嗯", "right", "blue"])
def test_after_a_question_everything_is_an_answer(text: str) -> None:
    assert JUDGE.judge(text, ASKED, final=False) is Verdict.INTERRUPTION
    assert JUDGE.judge(text, Situation("你想继续听吗？"), final=False) is Verdict.INTERRUPTION


def test_before_anything_is_heard_any_word_goes_on_with_the_question() -> None:
    thinking = Situation(audible=False)
    assert JUDGE.judge("Paris", thinking, final=False) is Verdict.INTERRUPTION
    assert JUDGE.judge("uh-huh", thinking, final=True) is Verdict.BACKCHANNEL


@pytest.mark.parametrize(
    "text", ["stop", "Stop!", "please stop", "robot, be quiet", "stop stop stop", "stop it now",
             "停", "停停停", "别说了", "请安静", "闭嘴吧"],
)  # fmt: skip
def test_a_command_to_be_quiet_wins(text: str) -> None:
    assert JUDGE.judge(text, ASKED, final=False) is Verdict.HARD_STOP


@pytest.mark.parametrize(
    ("text", "only"),
    [("stop", True), ("okay stop please", True), ("好了别说了", True), ("停", True),
     ("stop and tell me the time", False), ("okay", False), ("停车场在哪里", False)],
)  # fmt: skip
def test_a_command_with_a_question_is_answered(text: str, only: bool) -> None:
    assert JUDGE.only_stop(text) is only


def test_the_robots_own_words_are_an_echo() -> None:
    assert JUDGE.judge("there was a king", STORY, final=False) is Verdict.ECHO


def test_thresholds_and_lists_can_be_set() -> None:
    judge = InterruptionJudge(4, 3, hard_stops=["halt"], backchannels=["roger"])
    assert judge.judge("tell me more", STORY, final=False) is Verdict.UNCLEAR
    assert judge.judge("后天", STORY, final=False) is Verdict.UNCLEAR
    assert judge.judge("roger", STORY, final=True) is Verdict.BACKCHANNEL
    assert judge.judge("halt", STORY, final=False) is Verdict.HARD_STOP
