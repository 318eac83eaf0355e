"""Each message of a microphone is checked against the samples that came before it."""

from __future__ import annotations

import pytest

from voicemesh.errors import InvalidArgument
from voicemesh.sample_clock import SampleClock
from voicemesh.v1.common_pb2 import AudioChunk, EndOfUtterance, SilenceChunk


def test_sound_and_silence_follow_each_other() -> None:
    clock = SampleClock(16_000, 500)
    clock.take_audio(AudioChunk(audio=bytes(640), first_sample=500))
    clock.take_silence(SilenceChunk(first_sample=820, sample_count=160_000))
    clock.take_audio(AudioChunk(audio=bytes(2), first_sample=160_820))
    assert clock.next_sample == 160_821
    clock.check_end(EndOfUtterance(sample=160_821))


@pytest.mark.parametrize(
    ("count", "first", "field", "sentence"),
    [
        (0, 0, "silence.sample_count", "0 samples of silence are not 1 to 80000 \\(10 s\\)"),
        (-5, 0, "silence.sample_count", "-5 samples of silence are not 1 to 80000"),
        (80_001, 0, "silence.sample_count", "80001 samples .* send longer silences in parts"),
        (10, 7, "silence.first_sample", "begins at sample 7, but 0 is next"),
    ],
)
def test_silence_that_does_not_fit_is_refused_and_not_counted(
    count: int, first: int, field: str, sentence: str
) -> None:
    clock = SampleClock(8_000)
    with pytest.raises(InvalidArgument, match=sentence) as refused:
        clock.take_silence(SilenceChunk(first_sample=first, sample_count=count))
    assert refused.value.field == field
    assert clock.next_sample == 0


def test_sound_with_a_gap_is_refused() -> None:
    clock = SampleClock(8_000, 10)
    with pytest.raises(InvalidArgument, match="begins at sample 11, but 10 is next"):
        clock.take_audio(AudioChunk(audio=bytes(2), first_sample=11))
    assert clock.next_sample == 10


@pytest.mark.parametrize("sample", [-1, 1])
def test_an_utterance_ends_within_its_sound(sample: int) -> None:
    with pytest.raises(InvalidArgument, match=r"its audio first|count from 0") as refused:
        SampleClock(8_000).check_end(EndOfUtterance(sample=sample))
    assert refused.value.field == "end_of_utterance.sample"
