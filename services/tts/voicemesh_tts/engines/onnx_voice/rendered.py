"""From the waveform of a unit to the chunks that a stream is given."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from voicemesh.audio import Samples
from voicemesh.audio_format import FULL_SCALE
from voicemesh_tts.audio.shaping import TimedWord, WordClock, shaped
from voicemesh_tts.engines.engine import SpokenChunk


@dataclass(frozen=True)
class Rendered:
    """What a voice makes of a text."""

    parts: Iterable[Samples]
    """One after the other, with the silence around them and at the voice's own level. They may
    be made when they are asked for, and once."""
    words: Sequence[TimedWord]
    """Words of the text and when they begin in all of that."""

    @property
    def samples(self) -> Samples:
        """All of it; no parts are left."""
        return np.concatenate([np.zeros(0, np.int16), *self.parts])


def samples_of(waveform: NDArray[np.float32]) -> Samples:
    """A waveform of -1 to 1 as samples."""
    scaled = np.clip(np.rint(waveform * FULL_SCALE), -FULL_SCALE, FULL_SCALE - 1)
    samples: Samples = scaled.astype(np.int16)
    return samples


def spoken_chunks(
    rendered: Rendered, rate_hertz: int, gain: float, span: tuple[int, int]
) -> Iterator[SpokenChunk]:
    """Chunks that speak for ``span`` of a unit's text, trimmed and brought to their level.

    The words are places of the unit's text within that span. A part is made when the chunks
    before it have been taken.
    """
    offset, stop_char = span
    clock = WordClock(stop_char - offset)
    for word in rendered.words:
        clock.add(TimedWord(word.begin - offset, word.end - offset, word.start))
    for samples, first, stop, last in shaped(rendered.parts, rate_hertz, gain):
        begin, end = clock.span(first, stop, complete=last)
        yield SpokenChunk(samples, offset + begin, offset + end)
