from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from voicemesh_robot.files.speech_end import SpeechEndFinder

RATE = 16_000


def burst(seconds: float, level_dbfs: float) -> NDArray[np.int16]:
    """A square wave: its level is exact in every frame."""
    height = 32768 * 10 ** (level_dbfs / 20)
    signs = np.where(np.arange(int(seconds * RATE)) % 80 < 40, 1, -1)
    return (height * signs).astype(np.int16)


def silence(seconds: float) -> NDArray[np.int16]:
    return np.zeros(int(seconds * RATE), dtype=np.int16)


def voiced_end(blocks: Iterable[NDArray[np.int16]], rate_hertz: int) -> int:
    finder = SpeechEndFinder(rate_hertz)
    for block in blocks:
        finder.feed(block)
    return finder.end_sample()


def test_end_of_the_last_loud_part_is_found() -> None:
    parts = [silence(0.2), burst(0.3, -10), silence(0.5), burst(0.1, -20), silence(1.0)]
    assert voiced_end([np.concatenate(parts)], RATE) == int(1.1 * RATE)


def test_what_is_35_db_below_the_loudest_is_not_voiced() -> None:
    assert voiced_end([burst(0.2, -10), burst(0.2, -44)], RATE) == int(0.4 * RATE)
    assert voiced_end([burst(0.2, -10), burst(0.2, -46)], RATE) == int(0.2 * RATE)


def test_what_lies_below_60_dbfs_is_never_voiced() -> None:
    assert voiced_end([burst(0.2, -59)], RATE) == int(0.2 * RATE)
    assert voiced_end([burst(0.2, -61)], RATE) == 0


def test_silence_and_nothing_have_no_voiced_sample() -> None:
    assert voiced_end([silence(1.0)], RATE) == 0
    assert voiced_end([], RATE) == 0


def test_later_loud_part_silences_an_earlier_quiet_one() -> None:
    quiet_first = [burst(0.2, -50), silence(0.1), burst(0.1, -5), silence(0.2), burst(0.2, -50)]
    assert voiced_end(quiet_first, RATE) == int(0.4 * RATE)


@given(cuts=st.lists(st.integers(1, 900), max_size=20), seed=st.integers(0, 1000))
def test_blocks_do_not_change_the_judgement(cuts: list[int], seed: int) -> None:
    random = np.random.default_rng(seed)
    levels = random.uniform(-70, -5, 12)
    samples = np.concatenate([burst(0.03, level) for level in levels])
    finder = SpeechEndFinder(RATE)
    for piece in np.split(samples, np.cumsum(cuts)):
        finder.feed(piece)
    frames = samples[: len(samples) // 160 * 160].reshape(-1, 160).astype(float)
    level = 10 * np.log10(np.maximum(np.mean(frames**2, axis=1) / 32768**2, 1e-12))
    voiced = np.flatnonzero(level > max(level.max() - 35, -60))
    assert finder.end_sample() == (0 if not len(voiced) else (voiced[-1] + 1) * 160)


def test_spoken_question_ends_where_its_last_word_ends(
    flite_speech: Callable[..., NDArray[np.int16]],
) -> None:
    speech = flite_speech("what is artificial intelligence")
    end = voiced_end([speech], RATE)
    padded = voiced_end([silence(0.5), speech, silence(2.0)], RATE)
    assert padded == end + RATE // 2
    assert end / RATE == pytest.approx(len(speech) / RATE, abs=0.4)
