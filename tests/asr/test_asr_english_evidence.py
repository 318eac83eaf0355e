"""TextEvidence for whole English sentences: what a language model knows beside the rules."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from voicemesh.errors import SettingsError
from voicemesh.settings import Settings, load
from voicemesh.v1 import asr_pb2 as pb
from voicemesh_asr.turn_detection.completeness.english_evidence import EnglishEvidence
from voicemesh_asr.turn_detection.completeness.english_verbs import EnglishVerbs
from voicemesh_asr.turn_detection.completeness.judge import default_judge
from voicemesh_asr.turn_detection.completeness.judgement import (
    HARDLY_WHOLE,
    LIKELY_WHOLE,
    NO_MARK,
    Judgement,
)
from voicemesh_asr.turn_detection.models import TurnModels
from voicemesh_asr.turn_detection.trigrams import Trigrams, TrigramSettings, make
from voicemesh_asr.turn_detection.turn_language_model import SENTENCE_END

from .speaker import Speaker, utterance

RULES = default_judge()

BEGINNINGS = (
    "my favorite color|the teacher who taught us|all of my friends|the coffee in this place"
    "|the woman at the desk|what do you usually|is it true that|what happens if i"
    "|tell the kids that|i have been working"
)
SENTENCES = (
    "the washing machine makes a strange noise|last summer we travelled through italy"
    "|the coffee in this place tastes terrible|all of my friends live in other cities"
    "|before we start let me explain the rules|dinner is ready|she plays the piano"
)
COMMANDS = "turn on the light|play some jazz|open the door|who are you|what is that|i am hungry"


def with_settings(**values: str) -> Settings:
    """Settings of the ASR service."""
    flags = {f"asr.{name}": value for name, value in values.items()}
    return load(environ={}, flags=flags, only=("asr", "mesh"))


@pytest.fixture(scope="module")
def trigrams() -> Trigrams:
    return make(TrigramSettings())


@pytest.fixture(scope="module")
def evidence(trigrams: Trigrams) -> EnglishEvidence:
    return EnglishEvidence(trigrams)


def test_a_sentence_ends_behind_what_ends_sentences(trigrams: Trigrams) -> None:
    today = trigrams.log_probability(SENTENCE_END, "right", "now")
    of_the = trigrams.log_probability(SENTENCE_END, "of", "the")
    assert today is not None
    assert of_the is not None
    assert today > of_the + 3
    forward = trigrams.log_probability("york", "new")
    backward = trigrams.log_probability("new", "york")
    assert forward is not None
    assert backward is not None
    assert forward > backward


def test_a_language_model_knows_which_words_it_does_not_know(trigrams: Trigrams) -> None:
    assert trigrams.log_probability("voicemesh") is None
    assert trigrams.log_probability(SENTENCE_END, "the", "voicemesh") is not None


@pytest.mark.parametrize(
    ("text", "lacks"),
    [
        ("the woman at the desk", True),
        ("the woman at the desk gave me this key", False),
        ("the teacher who taught us", True),
        ("the teacher who taught us music has retired", False),
        ("the phone i bought", True),
        ("the phone i bought is broken", False),
        ("when i get home", True),
        ("when i get home please start the heating", False),
        ("when is the party", False),
        ("i think my sister", True),
        ("i think my sister left", False),
        ("close all windows", False),
        ("can the robot", True),
        ("can the robot climb the stairs", False),
        ("i know that", True),
        ("after lunch we went home", False),
        ("would you like tea", False),
        ("she has a cookie", False),
        ("", False),
    ],
)
def test_each_clause_wants_a_verb(trigrams: Trigrams, text: str, lacks: bool) -> None:
    assert EnglishVerbs(trigrams).lack(text.split()) == lacks


@pytest.mark.parametrize("text", BEGINNINGS.split("|"))
def test_beginnings_that_no_rule_knows_are_no_sentences(
    evidence: EnglishEvidence, text: str
) -> None:
    assert RULES.judge(text).mark != pb.END_MARK_UNFINISHED
    found = default_judge(evidence=evidence).judge(text)
    assert found.mark == pb.END_MARK_NONE
    assert found.confidence < HARDLY_WHOLE.confidence


@pytest.mark.parametrize("text", SENTENCES.split("|"))
def test_sentences_that_no_rule_knows_are_sentences(evidence: EnglishEvidence, text: str) -> None:
    assert RULES.judge(text).mark != pb.END_MARK_SENTENCE
    assert default_judge(evidence=evidence).judge(text).mark == pb.END_MARK_SENTENCE


@pytest.mark.parametrize("text", COMMANDS.split("|"))
def test_short_sentences_that_the_rules_know_stay_sentences(
    evidence: EnglishEvidence, text: str
) -> None:
    assert default_judge(evidence=evidence).judge(text).mark == pb.END_MARK_SENTENCE


def test_a_misheard_word_in_front_does_not_make_a_long_sentence_unfinished(
    evidence: EnglishEvidence,
) -> None:
    heard = "when i get told the police started to eat"
    assert RULES.judge(heard).mark == pb.END_MARK_UNFINISHED
    assert default_judge(evidence=evidence).judge(heard) == LIKELY_WHOLE


def test_two_words_without_a_verb_may_be_an_answer(evidence: EnglishEvidence) -> None:
    assert default_judge(evidence=evidence).judge("green tea") == HARDLY_WHOLE


@pytest.mark.parametrize(
    "text",
    [
        "my number is four five six",
        "guten morgen wie geht es dir",
        "今天天气",
        "Is the woman at the desk?",
        "yes",
        "thank you very much",
        "tomorrow",
    ],
)
def test_what_the_evidence_knows_nothing_of_is_left_to_the_rules(
    evidence: EnglishEvidence, text: str
) -> None:
    assert default_judge(evidence=evidence).judge(text) == RULES.judge(text)


def test_an_expected_phrase_needs_no_evidence(evidence: EnglishEvidence) -> None:
    judge = default_judge(["the woman at the desk"], evidence)
    assert judge.judge("the woman at the desk").mark == pb.END_MARK_SENTENCE


def test_evidence_may_weigh_what_no_strategy_knows() -> None:
    class Sure:
        def weighed(self, text: str, judgement: Judgement) -> Judgement:
            assert judgement == NO_MARK
            return LIKELY_WHOLE

    assert default_judge(evidence=Sure()).judge("big red house") == LIKELY_WHOLE


async def test_the_language_model_is_loaded_where_it_is_chosen() -> None:
    chosen = TurnModels(with_settings())
    assert chosen.evidence is None
    await chosen.load()
    assert isinstance(chosen.evidence, EnglishEvidence)
    none = TurnModels(with_settings(turn_language_model=""))
    await none.load()
    assert none.evidence is None
    with pytest.raises(SettingsError, match=r"asr\.turn_language_model = 'quadgrams'"):
        TurnModels(with_settings(turn_language_model="quadgrams"))


async def test_without_the_file_of_the_model_rules_judge_alone(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("pocketsphinx.get_model_path", lambda name: str(tmp_path / name))
    models = TurnModels(with_settings())
    await models.load()
    assert models.evidence is None
    assert 'set asr.turn_language_model = ""' in caplog.text


@pytest.mark.parametrize(("model", "wait_ms"), [("trigrams", 950), ("", 550)])
async def test_a_stream_waits_for_the_verb_where_a_language_model_is_set(
    serving: Callable[..., AbstractAsyncContextManager[str]],
    recognizer: Callable[[str], AbstractAsyncContextManager[Any]],
    flite_speech: Callable[..., NDArray[np.int16]],
    model: str,
    wait_ms: int,
) -> None:
    settings = {
        "asr.engine": "simulated",
        "asr.simulated.texts": '["the woman at the desk"]',
        "asr.turn_language_model": model,
    }
    async with serving("asr", **settings) as target, recognizer(target) as stub:
        speaker = Speaker(stub)
        await speaker.start()
        await speaker.audio(utterance(flite_speech("the woman at the desk"), tail_s=1.5))
        end = (await speaker.until_end())[-1]
    assert end.wait_ms == wait_ms
