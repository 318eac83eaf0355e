"""The audio of the Mandarin voice: trimmed, stretched, levelled, joined without clicks."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from voicemesh.audio import Samples
from voicemesh_tts.audio.stretching import stretched
from voicemesh_tts.engines.mandarin.clauses import Clause, SpokenCharacter
from voicemesh_tts.engines.mandarin.syllables import Syllable
from voicemesh_tts.engines.sophon_vits.settings import SophonVitsSettings
from voicemesh_tts.engines.sophon_vits.speech import Finishing, chunks
from voicemesh_tts.engines.sophon_vits.trimming import audible, trimmed
from voicemesh_tts.engines.sophon_vits.windows import LaunchWindow

RATE = 16_000
LEVEL = 0.005


def tone(seconds: float, hertz: float = 200.0, size: float = 0.3) -> NDArray[np.float32]:
    phase = np.arange(round(seconds * RATE)) * (2 * np.pi * hertz / RATE)
    wave: NDArray[np.float32] = (np.sin(phase) * size).astype(np.float32)
    return wave


def silence(seconds: float) -> NDArray[np.float32]:
    return np.zeros(round(seconds * RATE), np.float32)


def window(text: str, mark: str = ",", offset: int = 0) -> LaunchWindow:
    sound = Syllable("h", "ao", "3")
    characters = [
        SpokenCharacter(c, sound, offset + i, offset + i + 1, True) for i, c in enumerate(text)
    ]
    return LaunchWindow((Clause(tuple(characters), mark),))


# Trimming.


def test_the_end_is_found_as_the_published_demo_does() -> None:
    # Windows of 512 samples whose mean absolute value is above the level are kept.
    wave = np.concatenate([silence(0.1), tone(0.5), silence(1.0)])
    begin, end = audible(wave, LEVEL)
    means = np.abs(wave[: len(wave) // 512 * 512]).reshape(-1, 512).mean(axis=1)
    assert end == (np.flatnonzero(means > LEVEL)[-1] + 1) * 512
    assert 1600 - 80 <= begin <= 1600


def test_speech_keeps_a_short_lead_and_a_tail_that_fades() -> None:
    wave = np.concatenate([silence(0.1), tone(0.5), tone(1.0, size=0.004)])
    speech = trimmed(wave, RATE, LEVEL, tail_s=0.06)
    begin, end = audible(wave, LEVEL)
    assert len(speech) == end - begin + 160 + 960
    assert speech[0] == speech[-1] == 0
    assert np.abs(speech[-480:]).max() < 0.003


@pytest.mark.parametrize("wave", [silence(0), silence(1.0), tone(1.0, size=0.004)])
def test_silence_is_trimmed_to_nothing(wave: NDArray[np.float32]) -> None:
    assert len(trimmed(wave, RATE, LEVEL, 0.06)) == 0


def test_speech_that_fills_the_buffer_still_begins_and_ends_in_silence() -> None:
    wave = tone(0.512, hertz=203)
    speech = trimmed(wave, RATE, LEVEL, 0.06)
    assert len(speech) == len(wave)
    assert speech[0] == speech[-1] == 0
    assert np.abs(np.diff(speech)).max() < 0.03


# Stretching.


def pitch(wave: NDArray[np.float32]) -> float:
    spectrum = np.abs(np.fft.rfft(wave * np.hanning(len(wave))))
    return float(np.argmax(spectrum) * RATE / len(wave))


@pytest.mark.parametrize("speed", [0.5, 0.8, 1.25, 2.0])
def test_speech_is_faster_or_slower_at_the_same_pitch(speed: float) -> None:
    wave = tone(1.0, hertz=220)
    out = stretched(wave, RATE, speed)
    assert len(out) == round(len(wave) / speed)
    assert pitch(out) == pytest.approx(220, abs=4)
    # Nothing is doubled or cancelled where frames meet.
    body = out[800:-1600].astype(np.float64)
    assert np.sqrt(np.mean(body**2)) == pytest.approx(0.3 / np.sqrt(2), rel=0.03)
    assert np.abs(np.diff(out)).max() < 1.3 * np.abs(np.diff(wave)).max()


def test_the_usual_speed_changes_nothing() -> None:
    wave = tone(0.3)
    assert stretched(wave, RATE, 1.0) is wave


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 9000), st.floats(0.5, 2.0))
def test_any_length_can_be_stretched(count: int, speed: float) -> None:
    out = stretched(tone(1.0)[:count], RATE, speed)
    assert np.isfinite(out).all()
    assert np.max(np.abs(out), initial=0.0) < 0.4
    assert len(out) in (count, round(count / speed))


# Chunks.


def spoken(
    parts: list[tuple[NDArray[np.float32], LaunchWindow]], speed: float = 1.0, **fields: int
) -> Samples:
    finishing = Finishing(SophonVitsSettings(**fields))
    pieces = []
    for wave, what in parts:
        speech = finishing.finished(wave, speed)
        pause = finishing.pause(what, speed)
        end = what.characters[-1].end
        pieces += [
            c.samples for c in chunks(speech, pause, what, what.characters[0].begin, end, RATE)
        ]
    return np.concatenate(pieces)


@pytest.mark.parametrize("speed", [1.0, 1.4])
@pytest.mark.parametrize("mark", [",", ""])
def test_windows_join_without_a_click(mark: str, speed: float) -> None:
    # Both begin and end abruptly, at their loudest.
    loud = np.cos(np.arange(8192) * (2 * np.pi * 210 / RATE)).astype(np.float32) * 0.6
    joined = spoken([(loud, window("你好", mark)), (loud, window("你好", mark, 2))], speed)
    within = np.abs(np.diff(loud)).max() * 32768
    assert np.abs(np.diff(joined.astype(int))).max() < 1.3 * within
    assert abs(int(joined[0])) < 0.05 * within
    assert abs(int(joined[-1])) < 0.05 * within


def test_the_pause_follows_the_mark_and_the_speed() -> None:
    wave = tone(0.512)
    speech = len(spoken([(wave, window("你好", ""))]))
    assert len(spoken([(wave, window("你好"))])) - speech == 0.160 * RATE
    assert len(spoken([(wave, window("你好"))], clause_pause_ms=50)) - speech == 0.050 * RATE
    finishing = Finishing(SophonVitsSettings())
    assert len(finishing.pause(window("好"), 2.0)) == 0.080 * RATE
    assert len(finishing.pause(window("好", "."), 1.0)) == 0.320 * RATE


def test_spans_are_spread_over_the_audio_and_leave_nothing_out() -> None:
    what = LaunchWindow((*window("一二三四").clauses, *window("五六", ".", offset=6).clauses))
    speech, pause = np.ones(RATE * 2, np.int16), np.zeros(800, np.int16)
    got = list(chunks(speech, pause, what, 0, 9, RATE))
    assert sum(len(c.samples) for c in got) == len(speech) + len(pause)
    assert (got[0].begin, got[-1].end) == (0, 9)
    for before, after in zip(got, got[1:], strict=False):
        assert before.begin <= after.begin <= before.end <= after.end
    # The pause after the first clause belongs to its last character: 9 of 14 parts.
    halfway = got[len(got) // 2 - 1]
    assert (halfway.begin, halfway.end) == (3, 6)


def test_the_level_is_the_gain_that_was_measured_and_peaks_are_bent() -> None:
    finishing = Finishing(SophonVitsSettings())
    quiet = finishing.samples(tone(0.1, size=0.1))
    finishing.gain = 3.0
    loud = finishing.samples(tone(0.1, size=0.1))
    assert loud.max() == pytest.approx(3 * quiet.max(), rel=0.01)
    assert 0.9 < finishing.samples(tone(0.1, size=1.0)).max() / 32767 <= 1.0
