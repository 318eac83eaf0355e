from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from voicemesh.audio import StreamResampler, dbfs, pcm16
from voicemesh.audio_format import check_chunk, check_format, linear16
from voicemesh.errors import InvalidArgument, Unsupported
from voicemesh.v1 import common_pb2 as pb

RATES = (8000, 16000, 22050, 24000, 44100, 48000)


def _sine(rate: int, seconds: float = 1.0, hertz: float = 440.0) -> np.ndarray:
    time = np.arange(int(rate * seconds)) / rate
    return (10_000 * np.sin(2 * np.pi * hertz * time)).astype(np.int16)


def _resampled(samples: np.ndarray, source: int, target: int, chunk: int) -> np.ndarray:
    resampler = StreamResampler(source, target)
    parts = [resampler.process(samples[i : i + chunk]) for i in range(0, len(samples), chunk)]
    return np.concatenate([*parts, resampler.finish()])


@pytest.mark.parametrize("source", RATES)
@pytest.mark.parametrize("target", RATES)
def test_a_resampled_sine_keeps_length_level_and_pitch(source: int, target: int) -> None:
    result = _resampled(_sine(source), source, target, chunk=source // 50)
    assert abs(len(result) - target) <= 1
    middle = result[target // 4 : 3 * target // 4]
    assert dbfs(middle) == pytest.approx(dbfs(_sine(target)), abs=0.1)
    spectrum = np.abs(np.fft.rfft(middle * np.hanning(len(middle))))
    assert np.argmax(spectrum) * target / len(middle) == pytest.approx(440, abs=2)


@settings(max_examples=20, deadline=None)
@given(st.lists(st.integers(1, 4000), min_size=1, max_size=10))
def test_how_a_stream_is_chunked_does_not_change_what_comes_out(sizes: list[int]) -> None:
    samples = _sine(44100, sum(sizes) / 44100)
    resampler = StreamResampler(44100, 16000)
    parts, at = [], 0
    for size in sizes:
        parts.append(resampler.process(samples[at : at + size]))
        at += size
    chunked = np.concatenate([*parts, resampler.finish()])
    whole = _resampled(samples, 44100, 16000, chunk=len(samples) + 1)
    assert len(chunked) == len(whole)
    assert np.allclose(chunked, whole, rtol=0, atol=2)  # Samples are dithered.


def test_level_of_full_scale_silence_and_nothing() -> None:
    assert dbfs(np.full(100, -32768, np.int16)) == pytest.approx(0)
    assert dbfs(np.zeros(100, np.int16)) == -math.inf
    assert dbfs(np.zeros(0, np.int16)) == -math.inf


def test_bytes_are_little_endian_samples() -> None:
    assert pcm16(b"\x01\x00\xff\xff\x00\x80").tolist() == [1, -1, -32768]


@pytest.mark.parametrize(
    ("wrong", "kind", "field"),
    [
        ({"encoding": pb.AUDIO_ENCODING_UNSPECIFIED}, Unsupported, "f.encoding"),
        ({"sample_rate_hertz": 7999}, InvalidArgument, "f.sample_rate_hertz"),
        ({"sample_rate_hertz": 48001}, InvalidArgument, "f.sample_rate_hertz"),
        ({"channel_count": 0}, Unsupported, "f.channel_count"),
        ({"channel_count": 2}, Unsupported, "f.channel_count"),
    ],
)
def test_a_format_that_cannot_be_is_refused_with_its_field(
    wrong: dict[str, int], kind: type[InvalidArgument], field: str
) -> None:
    audio_format = linear16(16000)
    for name, value in wrong.items():
        setattr(audio_format, name, value)
    with pytest.raises(InvalidArgument) as raised:
        check_format(audio_format, "f")
    assert type(raised.value) is kind
    assert raised.value.field == field


def test_a_good_format_tells_its_rate() -> None:
    assert [check_format(linear16(rate), "f") for rate in RATES] == list(RATES)


@pytest.mark.parametrize(
    ("audio", "first_sample", "field"),
    [
        (b"", 100, "f.audio"),
        (b"abc", 100, "f.audio"),
        (bytes(2 * 16001), 100, "f.audio"),
        (bytes(4), 99, "f.first_sample"),
        (bytes(4), 101, "f.first_sample"),
    ],
)
def test_a_chunk_that_does_not_continue_its_stream_is_refused_with_its_field(
    audio: bytes, first_sample: int, field: str
) -> None:
    with pytest.raises(InvalidArgument) as raised:
        check_chunk(pb.AudioChunk(audio=audio, first_sample=first_sample), 100, 16000, "f")
    assert raised.value.field == field


def test_a_chunk_of_a_whole_second_is_accepted() -> None:
    chunk = pb.AudioChunk(audio=bytes(32000), first_sample=100)
    assert check_chunk(chunk, 100, 16000, "f") == 16000
