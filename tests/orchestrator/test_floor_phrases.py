"""What a recogniser is told to expect while the robot speaks."""

from __future__ import annotations

import pytest

from voicemesh.audio_format import linear16
from voicemesh.v1 import asr_pb2, dialog_pb2
from voicemesh_orchestrator.barge_in import phrases
from voicemesh_orchestrator.barge_in.classifier import InterruptionClassifier, Situation
from voicemesh_orchestrator.floor_settings import FloorSettings
from voicemesh_orchestrator.plan import plan_conversation
from voicemesh_orchestrator.settings import OrchestratorSettings
from voicemesh_orchestrator.turn.verdict import Verdict


def expected_phrases(*languages: str) -> set[str]:
    return {hint.phrase for hint in phrases.expected(languages)}


@pytest.mark.parametrize(
    "phrase", ["stop", "uh huh", "right right", "that's right", "停", "好的", "等一下"]
)
def test_what_is_said_in_a_word_is_expected_in_both_languages(phrase: str) -> None:
    assert phrase in expected_phrases()
    assert phrase in expected_phrases("zh-CN", "en")


def test_only_the_languages_of_the_conversation_are_expected() -> None:
    assert {"stop", "停"} & expected_phrases("en-GB") == {"stop"}
    assert {"stop", "停"} & expected_phrases("zh") == {"停"}
    assert not expected_phrases("ja")


def test_fillers_and_words_that_begin_questions_are_not_expected_alone() -> None:
    assert not {"um", "uh", "hm", "but", "how", "where"} & expected_phrases()


def test_every_phrase_that_is_expected_means_something_when_it_is_heard() -> None:
    classifier = InterruptionClassifier()
    decided = {Verdict.HARD_STOP, Verdict.BACKCHANNEL, Verdict.INTERRUPTION}
    for phrase in expected_phrases():
        assert classifier.classify(phrase, Situation(), final=True, voiced_ms=300) in decided, (
            phrase
        )


def test_the_hints_of_a_conversation_are_the_clients_and_the_robots_own() -> None:
    config = dialog_pb2.ConverseConfig(
        input_format=linear16(16_000),
        language_codes=["en"],
        phrase_hints=[asr_pb2.PhraseHint(phrase="good night robot", boost=3)],
    )
    floor = FloorSettings(hard_stop_phrases=("halt",), backchannel_phrases=("roger",))
    hints = plan_conversation(
        "c", config, OrchestratorSettings(floor=floor)
    ).recognition.phrase_hints
    assert hints[0] == config.phrase_hints[0]
    own = {hint.phrase: hint for hint in hints[1:]}
    assert {"halt", "roger", "stop", "okay"} <= own.keys()
    # Who says "okay" in a question of its own may go on: it must not end the turn sooner.
    assert all(hint.may_go_on for hint in own.values())
    assert own["okay"].boost > own["wait"].boost
