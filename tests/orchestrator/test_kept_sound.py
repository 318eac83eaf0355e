"""Sound that is kept until recognition has shown that it has it."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from voicemesh.v1 import common_pb2
from voicemesh_orchestrator.upstream.kept_sound import KeptSound, Said, samples_of

RATE = 16_000


def audio(first: int, count: int) -> common_pb2.AudioChunk:
    """Samples whose values are their numbers."""
    samples = np.arange(first, first + count).astype("<i2")
    return common_pb2.AudioChunk(audio=samples.tobytes(), first_sample=first)


def silence(first: int, count: int) -> common_pb2.SilenceChunk:
    return common_pb2.SilenceChunk(first_sample=first, sample_count=count)


def end(sample: int) -> common_pb2.EndOfUtterance:
    return common_pb2.EndOfUtterance(sample=sample)


def heard(messages: list[Said]) -> list[int | None]:
    """What whoever takes the messages hears: the number of each sample, None for silence."""
    sound: list[int | None] = []
    begin: int | None = None
    for said in messages:
        if isinstance(said, common_pb2.EndOfUtterance):
            continue
        begin = said.first_sample if begin is None else begin
        assert said.first_sample == begin + len(sound)
        if isinstance(said, common_pb2.AudioChunk):
            sound += np.frombuffer(said.audio, "<i2").tolist()
        else:
            sound += [None] * said.sample_count
    return sound


def test_many_frames_become_few_messages() -> None:
    kept = KeptSound(8 * RATE, RATE, 0)
    for first in range(0, 8 * RATE, 320):
        kept.add(audio(first, 320))
    messages = list(kept.since(0))
    assert len(messages) == 16
    assert [samples_of(said) for said in messages] == [RATE // 2] * 16


def test_what_is_too_old_is_had_as_silence() -> None:
    kept = KeptSound(1_000, RATE, 0)
    kept.add(audio(0, 900))
    kept.add(audio(900, 600))
    assert (kept.begin, kept.end) == (500, 1_500)
    assert heard(list(kept.since(0))) == [None] * 500 + list(range(500, 1_500))


def test_an_end_of_utterance_is_kept_with_its_sound_alone() -> None:
    kept = KeptSound(1_000, RATE, 0)
    kept.add(end(0))
    assert list(kept.since(0)) == []
    kept.add(audio(0, 400))
    kept.add(end(400))
    kept.add(end(400))
    assert [type(said) for said in kept.since(0)] == [
        common_pb2.AudioChunk,
        common_pb2.EndOfUtterance,
    ]
    kept.forget_before(400)
    assert list(kept.since(400)) == []


def test_what_is_forgotten_leaves_the_count_of_samples() -> None:
    kept = KeptSound(1_000, RATE, 100)
    kept.add(silence(100, 200))
    kept.forget()
    assert (kept.begin, kept.end) == (300, 300)
    kept.add(audio(300, 10))
    assert heard(list(kept.since(250))) == [None] * 50 + list(range(300, 310))


@given(
    st.lists(st.tuples(st.sampled_from("ase"), st.integers(1, 700)), max_size=60),
    st.integers(1, 3_000),
    st.integers(0, 4_000),
)
def test_no_sample_is_lost_or_moved(
    steps: list[tuple[str, int]], longest: int, forget: int
) -> None:
    kept = KeptSound(longest, 2_000, 0)
    expected: list[int | None] = []
    for kind, count in steps:
        if kind == "e":
            kept.add(end(len(expected)))
        elif kind == "a":
            kept.add(audio(len(expected), count))
            expected += list(range(len(expected), len(expected) + count))
        else:
            kept.add(silence(len(expected), count))
            expected += [None] * count
    kept.forget_before(min(forget, kept.end))
    begin = kept.begin
    assert kept.end == len(expected)
    assert begin >= min(forget, kept.end)
    assert len(expected) - begin <= longest
    assert heard(list(kept.since(begin))) == expected[begin:]
