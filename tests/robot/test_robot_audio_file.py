from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from voicemesh.errors import InvalidArgument, NotFound
from voicemesh.v1 import common_pb2 as pb
from voicemesh_robot.files.audio_file import AudioFile, write_wav
from voicemesh_robot.files.streamed_file import StreamedFile


def tone(hertz: float, rate: int, seconds: float = 1.0) -> NDArray[np.float64]:
    return 0.4 * np.sin(2 * np.pi * hertz * np.arange(int(rate * seconds)) / rate)


def read(path: Path, rate: int = 16_000) -> NDArray[np.int16]:
    with AudioFile(path) as file:
        return np.concatenate(list(file.blocks(rate)))


def strongest_hertz(samples: NDArray[np.int16], rate: int) -> float:
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples))))
    return float(np.argmax(spectrum) * rate / len(samples))


@pytest.mark.parametrize(("suffix", "subtype"), [("wav", "PCM_16"), ("flac", None), ("ogg", None)])
@pytest.mark.parametrize("rate", [8_000, 16_000, 44_100, 48_000])
@pytest.mark.parametrize("channels", [1, 2])
def test_tone_keeps_its_frequency_level_and_length(
    tmp_path: Path, suffix: str, subtype: str | None, rate: int, channels: int
) -> None:
    path = tmp_path / f"tone.{suffix}"
    soundfile.write(path, np.stack([tone(700, rate)] * channels, axis=1), rate, subtype=subtype)
    samples = read(path)
    assert abs(len(samples) - 16_000) <= 2
    assert strongest_hertz(samples, 16_000) == pytest.approx(700, abs=2)
    loudness = np.sqrt(np.mean((samples[2_000:-2_000] / 32768.0) ** 2))
    assert loudness == pytest.approx(0.4 / np.sqrt(2), rel=0.02)


@pytest.mark.parametrize("subtype", ["PCM_U8", "PCM_24", "PCM_32", "FLOAT", "ULAW"])
def test_any_sample_width_is_read(tmp_path: Path, subtype: str) -> None:
    path = tmp_path / "tone.wav"
    soundfile.write(path, tone(500, 16_000), 16_000, subtype=subtype)
    assert strongest_hertz(read(path), 16_000) == pytest.approx(500, abs=2)


def test_sixteen_bit_mono_at_the_right_rate_is_untouched(tmp_path: Path) -> None:
    samples = np.random.default_rng(1).integers(-32768, 32768, 33_333).astype(np.int16)
    write_wav(tmp_path / "noise.wav", samples, 16_000)
    assert np.array_equal(read(tmp_path / "noise.wav"), samples)


def test_channels_are_averaged(tmp_path: Path) -> None:
    left, right = tone(400, 16_000), tone(1_100, 16_000)
    soundfile.write(tmp_path / "a.wav", np.stack([left, right], axis=1), 16_000)
    expected = (left + right) / 2 * 32768
    assert np.max(np.abs(read(tmp_path / "a.wav") - expected)) <= 2


def test_samples_beyond_full_scale_are_clipped(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "loud.wav", np.array([2.0, -2.0] * 100), 16_000, subtype="FLOAT")
    assert set(read(tmp_path / "loud.wav").tolist()) == {32767, -32768}


def test_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="nowhere.wav does not exist") as caught:
        AudioFile(tmp_path / "nowhere.wav")
    assert caught.value.stage == pb.STAGE_CLIENT


def test_files_without_audio_are_refused_in_a_sentence(tmp_path: Path) -> None:
    empty = tmp_path / "empty.wav"
    empty.touch()
    text = tmp_path / "text.wav"
    text.write_text("this is no audio at all, though it claims to be")
    headless = tmp_path / "samples.raw"
    headless.write_bytes(bytes(3200))
    silent = tmp_path / "nothing.wav"
    soundfile.write(silent, np.zeros(0), 16_000)
    for path, problem in [
        (empty, "is empty"),
        (text, "no audio that can be read"),
        (headless, "no audio that can be read"),
        (silent, "no samples"),
        (tmp_path, "is no file"),
    ]:
        with pytest.raises(InvalidArgument, match=problem) as caught:
            AudioFile(path)
        assert str(path) in str(caught.value)


def test_damaged_file_is_refused_before_it_is_spoken(tmp_path: Path) -> None:
    path = tmp_path / "cut.flac"
    soundfile.write(path, np.random.default_rng(2).uniform(-0.5, 0.5, 160_000), 16_000)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2] + bytes(len(whole) // 2))
    with pytest.raises(InvalidArgument, match="damaged"):
        StreamedFile(path)


def test_written_wav_reads_back_and_its_folder_is_made(tmp_path: Path) -> None:
    samples = np.arange(-500, 500, dtype=np.int16)
    path = tmp_path / "new" / "folder" / "answer.wav"
    write_wav(path, samples, 22_050)
    data, rate = soundfile.read(path, dtype="int16")
    assert rate == 22_050
    assert np.array_equal(data, samples)
    assert [file.name for file in path.parent.iterdir()] == ["answer.wav"]


def test_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(InvalidArgument, match="cannot be written"):
        write_wav(tmp_path / "file" / "answer.wav", np.zeros(10, dtype=np.int16), 16_000)
