from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from voicemesh_robot.asking.file_sources import FastFileSource, RealTimeFileSource
from voicemesh_robot.files.audio_file import write_wav
from voicemesh_robot.files.streamed_file import StreamedFile
from voicemesh_robot.sound.heard import EndOfSpeech, Heard, HeardSilence, HeardSound

RATE = 16_000
FRAME = 320


class VirtualClock:
    """Time that passes only in sleeps, and where a test says so."""

    def __init__(self) -> None:
        self.time = 1000.0
        self.alarm: tuple[float, Callable[[], None]] | None = None

    def now(self) -> float:
        return self.time

    async def sleep_until(self, moment_s: float) -> None:
        self.time = max(self.time, moment_s)
        if self.alarm is not None and self.alarm[0] <= self.time:
            self.alarm[1]()
            self.alarm = None


def speech(path: Path, seconds: float) -> NDArray[np.int16]:
    samples = np.random.default_rng(3).integers(-9000, 9000, int(seconds * RATE)).astype(np.int16)
    write_wav(path, samples, RATE)
    return samples


async def take(sounds: AsyncIterator[Heard], count: int) -> list[Heard]:
    return [await anext(sounds) for _ in range(count)]


def joined(heard: list[Heard]) -> NDArray[np.int16]:
    """The samples of a stream, which must follow each other without gap or overlap."""
    parts: list[NDArray[np.int16]] = []
    position = 0
    for sound in heard:
        if isinstance(sound, EndOfSpeech):
            assert sound.sample == position
            continue
        assert sound.first_sample == position
        if isinstance(sound, HeardSound):
            parts.append(sound.samples)
        else:
            parts.append(np.zeros(sound.sample_count, dtype=np.int16))
        position += len(parts[-1])
    return np.concatenate(parts)


async def test_frames_leave_when_a_microphone_would_have_recorded_them(tmp_path: Path) -> None:
    clock = VirtualClock()
    source = RealTimeFileSource(clock)
    speech(tmp_path / "a.wav", 2.0)
    source.stream(await StreamedFile.open(tmp_path / "a.wav"))
    number = 0
    async for heard in source.sounds():
        assert isinstance(heard, HeardSound)
        assert clock.time == pytest.approx(1000.0 + (number + 1) * 0.02, abs=1e-9)
        number += 1
        if number == 100:
            break
    assert source.recorded_at(RATE) == pytest.approx(1001.0)
    assert source.sample_at(1001.0) == RATE


async def test_lateness_does_not_add_up(tmp_path: Path) -> None:
    clock = VirtualClock()
    source = RealTimeFileSource(clock)
    speech(tmp_path / "a.wav", 4.0)
    source.stream(await StreamedFile.open(tmp_path / "a.wav"))
    late = np.random.default_rng(4).uniform(0, 0.05, 50)
    sounds = source.sounds()
    for delay in late:
        await anext(sounds)
        clock.time += delay
    while clock.time > source.recorded_at(FRAME * 51):  # What is late is sent at once ...
        before = clock.time
        heard = await anext(sounds)
        assert isinstance(heard, HeardSound)
        if source.recorded_at(heard.first_sample + FRAME) < before:
            assert clock.time == before
        else:
            break
    heard = await anext(sounds)  # ... and then the frames are on time again.
    assert isinstance(heard, HeardSound)
    assert clock.time == pytest.approx(source.recorded_at(heard.first_sample + FRAME), abs=1e-9)


async def test_recording_is_followed_by_silent_frames_until_the_source_rests(
    tmp_path: Path,
) -> None:
    source = RealTimeFileSource(VirtualClock(), silence_chunk_ms=160)
    samples = speech(tmp_path / "a.wav", 0.25)
    source.stream(await StreamedFile.open(tmp_path / "a.wav"))
    sounds = source.sounds()
    attentive = await take(sounds, 20)
    assert all(isinstance(heard, HeardSound) for heard in attentive)
    source.expect_silence()
    resting = await take(sounds, 3)
    assert [heard.sample_count for heard in resting if isinstance(heard, HeardSilence)] == [
        2560
    ] * 3
    heard = joined(attentive + resting)
    assert np.array_equal(heard[: len(samples)], samples)
    assert not heard[len(samples) :].any()


async def test_second_recording_begins_at_once_and_the_clock_goes_on(tmp_path: Path) -> None:
    source = RealTimeFileSource(VirtualClock(), silence_chunk_ms=160)
    samples = speech(tmp_path / "a.wav", 0.1)
    sounds = source.sounds()
    heard = await take(sounds, 2)
    recording = await StreamedFile.open(tmp_path / "a.wav")
    source.stream(recording)
    heard += await take(sounds, 8)
    assert recording.first_sample == 2 * 2560
    assert np.array_equal(joined(heard)[2 * 2560 :][: len(samples)], samples)


async def test_silence_that_has_not_been_sent_goes_before_the_speech(tmp_path: Path) -> None:
    clock = VirtualClock()
    source = RealTimeFileSource(clock, silence_chunk_ms=200)
    source.expect_speech()
    sounds = source.sounds()
    heard = await take(sounds, 1)
    source.expect_silence()
    clock.alarm = (clock.time + 0.09, source.expect_speech)
    heard += await take(sounds, 3)
    assert [type(sound) for sound in heard] == [HeardSound, HeardSilence, HeardSound, HeardSound]
    joined(heard)


async def test_fast_source_says_everything_and_that_it_is_over(tmp_path: Path) -> None:
    clock = VirtualClock()
    source = FastFileSource(clock)
    samples = speech(tmp_path / "a.wav", 1.234)
    sounds = source.sounds()
    heard: list[Heard] = []
    for _ in range(2):
        source.stream(await StreamedFile.open(tmp_path / "a.wav"))
        heard += await take(sounds, 14)
    assert clock.time == 1000.0
    assert [i for i, sound in enumerate(heard) if isinstance(sound, EndOfSpeech)] == [13, 27]
    assert np.array_equal(joined(heard), np.concatenate([samples, samples]))


async def test_recording_knows_where_its_speech_ends(tmp_path: Path) -> None:
    samples = np.concatenate([speech(tmp_path / "a.wav", 0.5), np.zeros(RATE, dtype=np.int16)])
    write_wav(tmp_path / "b.wav", samples, RATE)
    recording = await StreamedFile.open(tmp_path / "b.wav")
    assert (recording.voiced_end, recording.sample_count) == (RATE // 2, 3 * RATE // 2)
