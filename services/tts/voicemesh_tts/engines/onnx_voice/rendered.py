"""From the waveform of a unit to the chunks that a stream is given."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from voicemesh.audio import Samples
from voicemesh.audio_format import FULL_SCALE
from voicemesh_tts.audio.shaping import TimedWord, WordClock, shaped
from voicemesh_tts.engines.engine import SpokenChunk


@dataclass(frozen=True)
class Rendered:
    """What a voice made of a text at one go."""

    samples: Samples
    """All of it, with the silence around it and at the voice's own level."""
    words: Sequence[TimedWord]
    """Words of the text and when they begin in ``samples``."""


def samples_of(waveform: NDArray[np.float32]) -> Samples:
    """A waveform of -1 to 1 as samples."""
    scaled = np.clip(np.rint(waveform * FULL_SCALE), -FULL_SCALE, FULL_SCALE - 1)
    samples: Samples = scaled.astype(np.int16)
    return samples


def spoken_chunks(
    rendered: Rendered, rate_hertz: int, gain: float, span: tuple[int, int]
) -> Iterator[SpokenChunk]:
    """Chunks that speak for ``span`` of a unit's text, trimmed and brought to their level.

    The words are places of the unit's text within that span.
    """
    offset, stop_char = span
    clock = WordClock(stop_char - offset)
    for word in rendered.words:
        clock.add(TimedWord(word.begin - offset, word.end - offset, word.start))
    for samples, first, stop, last in shaped(rendered.samples, rate_hertz, gain):
        begin, end = clock.span(first, stop, complete=last)
        yield SpokenChunk(samples, offset + begin, offset + end)
