"""What tests of voices do with an engine, and measure of what it says."""

from __future__ import annotations

import re
from contextlib import aclosing

import numpy as np
import pocketsphinx
import soxr
from numpy.typing import NDArray

from voicemesh.work_counter import WorkCounter
from voicemesh_tts.engines.engine import SpokenChunk, Synthesizer, Voice

_HEARD_HERTZ = 16_000


def voice(engine: Synthesizer, name: str) -> Voice:
    return next(v for v in engine.voices() if v.name == name)


async def speak(engine: Synthesizer, text: str, name: str, rate: float = 1.0) -> list[SpokenChunk]:
    async with aclosing(
        engine.synthesize(text, voice(engine, name), rate, WorkCounter())
    ) as chunks:
        return [chunk async for chunk in chunks]


def joined(chunks: list[SpokenChunk]) -> NDArray[np.int16]:
    return np.concatenate([chunk.samples for chunk in chunks])


def loudness(samples: NDArray[np.int16], rate_hertz: int) -> float:
    """Mean level of the 20 ms frames above -40 dBFS, in dBFS."""
    frame = rate_hertz // 50
    frames = samples[: len(samples) // frame * frame].reshape(-1, frame) / 32768.0
    power = np.mean(frames**2, axis=1)
    return float(10 * np.log10(np.mean(power[power > 1e-4])))


def check_spans(chunks: list[SpokenChunk], text: str) -> None:
    """Spans follow the audio and leave nothing out."""
    assert len(chunks) > 3
    assert chunks[0].begin == 0
    assert chunks[-1].end == len(text)
    for before, after in zip(chunks, chunks[1:], strict=False):
        assert before.begin <= after.begin <= before.end <= after.end
    # The first of many chunks cannot have said the second half of the text.
    assert chunks[len(chunks) // 4].end < len(text) * 0.6


def check_edges(samples: NDArray[np.int16], rate_hertz: int) -> None:
    """Speech begins and ends with next to no silence, and without a click."""
    sounding = np.flatnonzero(np.abs(samples.astype(int)) > 300)
    assert sounding[0] < 0.06 * rate_hertz
    assert len(samples) - sounding[-1] < 0.1 * rate_hertz
    assert np.abs(samples[[0, -1]].astype(int)).max() < 300


def words(text: str) -> set[str]:
    return set(re.findall(r"[a-z]+", text.lower()))


def heard(samples: NDArray[np.int16], rate_hertz: int) -> set[str]:
    """The words that a general recogniser of English hears."""
    padded = np.pad(soxr.resample(samples, rate_hertz, _HEARD_HERTZ), 4_000)
    decoder = pocketsphinx.Decoder(loglevel="FATAL")
    decoder.start_utt()
    decoder.process_raw(padded.astype(np.int16).tobytes(), full_utt=True)
    decoder.end_utt()
    return words(decoder.hyp().hypstr)
