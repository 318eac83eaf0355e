"""What of the microphone travels as samples and what as a duration."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from voicemesh_robot.sound.heard import Heard, HeardSilence, HeardSound
from voicemesh_robot.sound.speech_gate import GateTimes, SpeechGate

FRAME = 320
TIMES = GateTimes.of_ms(16_000)

Judged = list[tuple[bool, int]]
# Stretches of speech or silence, in frames.
stretches = st.lists(st.tuples(st.booleans(), st.integers(1, 120)), min_size=1, max_size=12)
# After how many frames something is told to the gate besides.
remarks = st.dictionaries(st.integers(0, 300), st.sampled_from(["speech", "silence", "gap"]))


def frames_of(judged: Judged) -> list[tuple[np.ndarray[tuple[int], np.dtype[np.int16]], bool]]:
    flags = [is_speech for is_speech, count in judged for _ in range(count)]
    samples = np.arange(1, len(flags) * FRAME + 1).astype(np.int16)  # Each tells its place.
    return list(zip(samples.reshape(-1, FRAME), flags, strict=True))


def assert_continuous(heard: list[Heard], first: int) -> int:
    position = first
    for item in heard:
        assert isinstance(item, (HeardSound, HeardSilence))
        assert item.first_sample == position
        length = len(item.samples) if isinstance(item, HeardSound) else item.sample_count
        assert length > 0
        position += length
    return position


@given(stretches, remarks, st.integers(0, 10**9))
def test_sounds_and_silences_are_the_timeline_without_gap_or_overlap(
    judged: Judged, remarks: dict[int, str], first: int
) -> None:
    gate = SpeechGate(TIMES, first, lambda begin: None)
    heard: list[Heard] = []
    truth: list[np.ndarray[tuple[int], np.dtype[np.int16]]] = []
    for number, (frame, is_speech) in enumerate(frames_of(judged)):
        heard += gate.process(frame, is_speech)
        truth.append(frame)
        match remarks.get(number):
            case "speech":
                gate.expect_speech()
            case "silence":
                gate.expect_silence()
            case "gap":
                heard += gate.gap(1_000, 600)
                truth.append(np.zeros(1_000, dtype=np.int16))
    end = assert_continuous(heard, first)
    timeline = np.concatenate(truth)
    assert gate.position == first + len(timeline)
    for item in heard:
        if isinstance(item, HeardSound):
            begin = item.first_sample - first
            assert (item.samples == timeline[begin : begin + len(item.samples)]).all()
    # What has not been told yet is bounded: pre-roll, onset and one piece of silence.
    untold = TIMES.pre_roll + 2 * TIMES.onset + TIMES.silence_chunk + 2 * FRAME
    assert gate.position - end <= untold


@given(stretches)
def test_all_speech_is_sent_with_what_came_before_it(judged: Judged) -> None:
    begins: list[int] = []
    gate = SpeechGate(TIMES, 0, begins.append)
    heard = [item for frame, flag in frames_of(judged) for item in gate.process(frame, flag)]
    sent = np.zeros(gate.position, dtype=bool)
    settled = np.zeros(gate.position, dtype=bool)
    for item in heard:
        if isinstance(item, HeardSound):
            sent[item.first_sample : item.first_sample + len(item.samples)] = True
            settled[item.first_sample : item.first_sample + len(item.samples) + TIMES.settle] = True
    for begin in begins:
        assert sent[begin : begin + TIMES.onset].all()
        before = slice(max(0, begin - TIMES.pre_roll), begin)
        # Right after speech silence is told at once, so that nothing can be held back.
        assert (sent[before] | settled[before]).all()
    position = 0
    for is_speech, count in judged:
        length = count * FRAME
        if is_speech and length >= TIMES.onset:
            assert sent[position : position + length].all()
        position += length


def run(gate: SpeechGate, *judged: tuple[bool, int]) -> list[list[Heard]]:
    return [gate.process(frame, flag) for frame, flag in frames_of(list(judged))]


def test_silence_after_speech_is_told_frame_by_frame_and_later_in_long_pieces() -> None:
    gate = SpeechGate(TIMES, 0, lambda begin: None)
    run(gate, (True, 10))
    after = run(gate, (False, 200))
    hang_over, settle = TIMES.hang_over // FRAME + 1, TIMES.settle // FRAME
    assert all(isinstance(item, HeardSound) for told in after[: hang_over - 1] for item in told)
    for told in after[hang_over : settle - 1]:
        assert [type(item) for item in told] == [HeardSilence]
        assert isinstance(told[0], HeardSilence)
        assert told[0].sample_count <= 2 * FRAME
    late = [item for told in after[settle + 1 :] for item in told]
    assert late
    for item in late:
        assert isinstance(item, HeardSilence)
        assert item.sample_count >= TIMES.silence_chunk


def test_silence_is_told_at_once_while_the_mesh_waits_for_the_end_of_a_turn() -> None:
    gate = SpeechGate(TIMES, 0, lambda begin: None)
    run(gate, (True, 10))
    gate.expect_speech()
    assert all(run(gate, (False, 400)))
    gate.expect_silence()
    assert not all(run(gate, (False, 20)))


def test_click_is_silence() -> None:
    begins: list[int] = []
    gate = SpeechGate(TIMES, 0, begins.append)
    heard = run(gate, (False, 50), (True, 2), (False, 100))
    assert not begins
    assert all(isinstance(item, HeardSilence) for told in heard for item in told)
