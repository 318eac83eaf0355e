"""Shaping and levelling of samples, and what the room loads before it is asked to."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from itertools import pairwise

import numpy as np
import pytest
from hibari import dsp
from numpy.typing import NDArray

from voicemesh_tts.audio.levelling import amplify
from voicemesh_tts.audio.shaping import Shaper, TimedWord, WordClock, shaped
from voicemesh_tts.engines.embedded.spec import SPEC
from voicemesh_tts.engines.hibari.waveform import waveform


def test_the_engine_says_that_it_can_run_here() -> None:
    assert SPEC.probe().usable


def test_spec_and_settings_import_no_speech_library() -> None:
    code = (
        "import sys, voicemesh_tts.service, voicemesh_tts.engines.embedded.spec;"
        "assert 'espeakng_loader' not in sys.modules;"
        "assert 'libflite' not in open('/proc/self/maps').read()"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_silence_at_both_ends_is_dropped_and_kept_inside() -> None:
    rate = 16_000
    tone = (8_000 * np.sin(2 * np.pi * 440 * np.arange(rate // 2) / rate)).astype(np.int16)
    silence = np.zeros(rate // 4, dtype=np.int16)
    raw = np.concatenate([silence, tone, silence, tone, silence])
    got: list[tuple[int, int, int, bool]] = []

    def emit(samples: NDArray[np.int16], first: int, stop: int, last: bool) -> bool:
        got.append((len(samples), first, stop, last))
        return True

    shaper = Shaper(rate, 1.0, emit)
    for start in range(0, len(raw), 333):
        shaper.feed(raw[start : start + 333])
    shaper.finish()
    total = sum(count for count, *_ in got)
    assert abs(total - (2 * len(tone) + len(silence))) < 0.03 * rate
    assert abs(got[0][1] - len(silence)) < 0.02 * rate
    assert all(a[2] == b[1] for a, b in zip(got, got[1:], strict=False))
    assert [last for *_, last in got] == [False] * (len(got) - 1) + [True]
    assert got[0][0] < got[2][0]


@pytest.mark.parametrize("cuts", [(), (3_000,), (4_000, 4_100, 9_000), (11_990,), (19_000,)])
def test_a_unit_that_comes_in_parts_sounds_as_if_it_came_at_once(cuts: tuple[int, ...]) -> None:
    rate = 16_000
    tone = (8_000 * np.sin(2 * np.pi * 440 * np.arange(rate // 2) / rate)).astype(np.int16)
    raw = np.pad(tone, (rate // 4, rate // 2))
    chunks = list(shaped(np.split(raw, cuts), rate, 1.0))
    ((whole, first, stop, _),) = _joined(list(shaped([raw], rate, 1.0)))
    assert (first, stop) == (rate // 4 - 480, rate * 3 // 4 + 480)
    ((samples, *rest),) = _joined(chunks)
    assert rest == [first, stop, True]
    np.testing.assert_array_equal(samples, whole)
    assert [last for *_, last in chunks] == [False] * (len(chunks) - 1) + [True]
    assert len(chunks[0][0]) == rate // 50 or not cuts or cuts[0] <= first + rate // 50


def _joined(
    chunks: list[tuple[NDArray[np.int16], int, int, bool]],
) -> list[tuple[NDArray[np.int16], int, int, bool]]:
    """The chunks as one; they leave nothing out."""
    assert all(a[2] == b[1] for a, b in pairwise(chunks))
    samples = np.concatenate([chunk for chunk, *_ in chunks])
    return [(samples, chunks[0][1], chunks[-1][2], chunks[-1][3])]


def test_a_part_is_made_when_what_came_before_has_been_taken() -> None:
    rate, made = 16_000, []
    loud = np.full(rate, 8_000, np.int16)

    def parts() -> Iterator[NDArray[np.int16]]:
        for number in range(3):
            made.append(number)
            yield loud

    chunks = shaped(parts(), rate, 1.0)
    next(chunks)
    assert made == [0]
    assert sum(len(samples) for samples, *_ in chunks) == 3 * rate - 320


def test_silence_is_no_chunk() -> None:
    silence = np.zeros(4_000, np.int16)
    assert list(shaped([silence, silence], 16_000, 1.0)) == []


def test_nothing_is_made_any_more_once_nobody_wants_it() -> None:
    rate = 16_000
    tone = (8_000 * np.sin(2 * np.pi * 440 * np.arange(rate) / rate)).astype(np.int16)
    emitted = 0

    def emit(samples: NDArray[np.int16], first: int, stop: int, last: bool) -> bool:
        nonlocal emitted
        emitted += 1
        return emitted < 2

    shaper = Shaper(rate, 1.0, emit)
    start = 0
    while shaper.feed(tone[start : start + 333]):
        start += 333
    shaper.finish()
    assert emitted == 2


def test_a_word_owns_the_text_up_to_the_next_word() -> None:
    clock = WordClock(11)
    for word in (TimedWord(0, 5, 100), TimedWord(6, 10, 900)):
        clock.add(word)
    assert clock.span(100, 500, complete=False) == (0, 6)
    assert clock.span(500, 1000, complete=False) == (0, 10)
    assert clock.span(1000, 1500, complete=True) == (6, 11)


def test_the_limiter_bends_peaks_and_leaves_speech_alone() -> None:
    samples = np.array([0, 1000, -1000, 20_000, -20_000], dtype=np.int16)
    assert np.abs(amplify(samples, 1.0).astype(int) - samples).max() <= 1
    loud = amplify(samples, 4.0).astype(int)
    assert loud[1] == pytest.approx(4000, abs=2)
    assert 30_000 < loud[3] <= 32_767
    assert loud[4] == -loud[3]


def test_the_waveform_in_parts_is_that_of_the_library() -> None:
    random, shape = np.random.default_rng(3), (601, 200)
    sizes, turns, free, phases = (random.normal(-3, 1, shape).astype(np.float32) for _ in range(4))
    silent = np.full(shape, -60, np.float32)  # Noise is drawn in another order.
    pitch = np.repeat([0, 120, 240, 0, 180], 40).astype(np.float32)
    given = sizes, turns, silent, free, phases, pitch
    whole = dsp.synth(*given, np.random.default_rng(0))
    parts = list(waveform(*given))
    assert len(parts) == 2
    np.testing.assert_allclose(np.concatenate(parts), whole, atol=1e-5)
    one, other = (
        np.concatenate(list(waveform(sizes, turns, free, free, phases, pitch))) for _ in "ab"
    )
    np.testing.assert_array_equal(one, other)
