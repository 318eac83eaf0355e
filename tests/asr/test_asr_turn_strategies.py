"""The strategies that say how much silence ends a turn, alone and composed."""

from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from voicemesh.audio import Samples
from voicemesh.v1 import asr_pb2 as pb
from voicemesh_asr.turn_detection.completeness.judgement import (
    HARDLY_WHOLE,
    LIKELY_WHOLE,
    Judgement,
)
from voicemesh_asr.turn_detection.detectors import DETECTORS
from voicemesh_asr.turn_detection.pauses import Pauses
from voicemesh_asr.turn_detection.punctuation_model import better_judgement
from voicemesh_asr.turn_detection.shared_model import SharedModel
from voicemesh_asr.turn_detection.strategies.adaptive import adapted
from voicemesh_asr.turn_detection.strategies.strategy import FirstOpinion, SilentTurn
from voicemesh_asr.turn_detection.turn_audio import TurnAudio
from voicemesh_asr.turn_detection.turn_model import TurnModel, window_of
from voicemesh_asr.turn_detection.waits import Waits

WAITS = Waits()
SENTENCE = Judgement(pb.END_MARK_SENTENCE, 0.9)
CLAUSE = Judgement(pb.END_MARK_CLAUSE, 0.6)
NONE = Judgement(pb.END_MARK_NONE, 0.5)
UNFINISHED = Judgement(pb.END_MARK_UNFINISHED, 0.85)


@pytest.mark.parametrize(
    ("name", "waits"),
    [
        ("silence", [700, 700, 700, 700]),
        ("marks", [300, 400, 700, 1200]),
        ("adaptive", [300, 400, 700, 1200]),
    ],
)
def test_each_detector_has_its_waits_for_a_stranger(name: str, waits: list[int]) -> None:
    strategies = DETECTORS[name](WAITS)
    judgements = (SENTENCE, CLAUSE, NONE, UNFINISHED)
    found = [strategies.verdict(SilentTurn("some text", j)).wait_ms for j in judgements]
    assert found == waits


@pytest.mark.parametrize(
    ("text", "wait_ms"),
    [
        ("so far is it to the river", 550),
        ("big old house there", 700),
        ("北京到上海的高速铁路", 550),
        ("北京到上海的", 700),
    ],
)
def test_a_long_text_without_a_mark_is_likelier_over(text: str, wait_ms: int) -> None:
    assert DETECTORS["adaptive"](WAITS).verdict(SilentTurn(text, NONE)).wait_ms == wait_ms
    assert DETECTORS["marks"](WAITS).verdict(SilentTurn(text, NONE)).wait_ms == 700


@pytest.mark.parametrize(
    ("judgement", "wait_ms"), [(LIKELY_WHOLE, 500), (NONE, 700), (HARDLY_WHOLE, 700)]
)
def test_statements_are_waited_for_less_than_texts_that_tell_nothing(
    judgement: Judgement, wait_ms: int
) -> None:
    found = DETECTORS["adaptive"](WAITS).verdict(SilentTurn("he came", judgement))
    assert (found.wait_ms, found.reason) == (wait_ms, pb.TURN_REASON_SILENCE)


def test_a_long_text_that_is_hardly_whole_is_waited_for() -> None:
    situation = SilentTurn("now tell me what is the capital", HARDLY_WHOLE)
    assert DETECTORS["adaptive"](WAITS).verdict(situation).wait_ms == 700


def test_an_endpoint_of_the_recogniser_cuts_at_once_whatever_the_text() -> None:
    verdict = DETECTORS["adaptive"](WAITS).verdict(SilentTurn("and", UNFINISHED, endpoint=True))
    assert (verdict.wait_ms, verdict.reason) == (0, pb.TURN_REASON_MODEL)


@pytest.mark.parametrize(
    ("complete", "wait_ms", "finished", "reason"),
    [
        (0.9, 300, True, pb.TURN_REASON_MODEL),
        (0.1, 1200, False, pb.TURN_REASON_MODEL),
        (0.45, 700, True, pb.TURN_REASON_SILENCE),
        (None, 700, True, pb.TURN_REASON_SILENCE),
    ],
)
def test_an_audio_model_decides_where_it_is_sure(
    complete: float | None, wait_ms: int, finished: bool, reason: int
) -> None:
    verdict = DETECTORS["adaptive"](WAITS).verdict(SilentTurn("big house", NONE, complete=complete))
    assert (verdict.wait_ms, verdict.finished, verdict.reason) == (wait_ms, finished, reason)


def test_an_unfinished_text_is_told_to_be_so() -> None:
    verdict = DETECTORS["adaptive"](WAITS).verdict(SilentTurn("the", UNFINISHED))
    assert not verdict.finished
    assert verdict.confidence < 0.5


@pytest.mark.parametrize(
    ("judgement", "wait_ms"),
    [
        (Judgement(pb.END_MARK_UNFINISHED, 0.7), 1200),
        (Judgement(pb.END_MARK_UNFINISHED, 0.6), 950),
        (Judgement(pb.END_MARK_NONE, 0.2), 950),
    ],
)
@pytest.mark.parametrize("name", ["adaptive", "marks"])
def test_what_seems_unfinished_gets_less_time_than_what_clearly_is(
    name: str, judgement: Judgement, wait_ms: int
) -> None:
    verdict = DETECTORS[name](WAITS).verdict(SilentTurn("the tall man", judgement))
    assert (verdict.wait_ms, verdict.finished) == (wait_ms, False)
    assert verdict.reason == pb.TURN_REASON_SILENCE_AFTER_UNFINISHED


def test_a_list_of_strategies_without_an_opinion_is_an_error() -> None:
    with pytest.raises(ValueError, match="end the list with FixedSilence"):
        FirstOpinion([]).verdict(SilentTurn())


def test_two_pauses_tell_nothing_of_a_speaker() -> None:
    assert adapted(700, Pauses(250, 2)) == 700


@pytest.mark.parametrize(
    ("wait_ms", "mean_ms", "wanted"),
    [(700, 200, 525), (700, 600, 850), (700, 2000, 1050), (300, 160, 300), (300, 130, 262)],
)
def test_brisk_speakers_are_answered_sooner_and_slow_ones_given_time(
    wait_ms: int, mean_ms: float, wanted: int
) -> None:
    assert adapted(wait_ms, Pauses(mean_ms, 5)) == wanted


@given(st.integers(0, 5000), st.floats(0, 1e4), st.integers(0, 1000))
def test_an_adapted_wait_stays_within_its_bounds(wait_ms: int, mean: float, count: int) -> None:
    found = adapted(wait_ms, Pauses(mean, count))
    assert min(wait_ms, 200) <= found <= max(wait_ms, 1.5 * wait_ms)


@given(st.lists(st.floats(0, 5000), min_size=1, max_size=60))
def test_the_mean_pause_stays_among_the_pauses(pauses: list[float]) -> None:
    found = Pauses()
    for pause in pauses:
        found = found.with_pause(pause)
    assert found.count == len(pauses)
    assert min(pauses) - 1e-6 <= found.mean_ms <= max(pauses) + 1e-6


def test_a_turn_model_sees_the_end_of_the_turn_behind_silence() -> None:
    turn = np.arange(1, 6, dtype=np.int16)
    assert window_of(turn, 8).tolist() == [0, 0, 0, 1, 2, 3, 4, 5]
    assert window_of(turn, 3).tolist() == [3, 4, 5]


class ScriptedTurnModel:
    """Stands for a trained turn model: it keeps what it was shown."""

    rate_hertz = 8000
    window_samples = 800

    def __init__(self) -> None:
        self.windows: list[Samples] = []

    def complete(self, window: Samples) -> float:
        self.windows.append(window)
        return float(np.any(window))


async def test_a_turn_model_is_shown_its_own_window_at_its_own_rate() -> None:
    model = ScriptedTurnModel()
    shared: SharedModel[TurnModel] = SharedModel("scripted", lambda: model, lambda made: made)
    await shared.load()
    heard = TurnAudio(shared, 16_000)
    for _ in range(20):
        heard.feed(np.full(320, 1000, dtype=np.int16))
    assert await heard.complete() == 1.0
    heard.forget()
    assert await heard.complete() == 0.0
    assert [len(window) for window in model.windows] == [800, 800]
    shared.close()


async def test_a_model_that_fails_or_is_late_gives_no_answer() -> None:
    import threading

    release = threading.Event()
    shared: SharedModel[int] = SharedModel("broken", lambda: 1, lambda model: model)
    await shared.load()
    assert await shared.ask(lambda model: model / 0) is None
    assert await shared.ask(lambda model: release.wait(10)) is None
    release.set()
    assert await shared.ask(lambda model: model) == 1
    shared.close()


async def test_a_punctuation_model_speaks_where_the_rules_are_not_sure() -> None:
    asked: list[str] = []

    def judge(text: str) -> Judgement:
        asked.append(text)
        return SENTENCE

    model = SimpleNamespace(judge=judge)
    shared: SharedModel[SimpleNamespace] = SharedModel("marks", lambda: model, lambda m: m)
    await shared.load()
    better = [
        await better_judgement(shared, text, rules)  # type: ignore[arg-type]  # as above
        for text, rules in (("big house", NONE), ("and the", UNFINISHED), ("", NONE))
    ]
    assert better == [SENTENCE, UNFINISHED, NONE]
    assert asked == ["big house"]
    assert await better_judgement(None, "big house", NONE) is NONE
    shared.close()
