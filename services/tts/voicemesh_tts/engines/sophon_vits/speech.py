"""From the waveform of a window to chunks of speech with their spans."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from voicemesh.audio import Samples
from voicemesh.audio_format import FULL_SCALE
from voicemesh_tts.audio.levelling import amplify
from voicemesh_tts.audio.stretching import stretched
from voicemesh_tts.engines.engine import SpokenChunk
from voicemesh_tts.engines.sophon_vits.settings import SophonVitsSettings
from voicemesh_tts.engines.sophon_vits.trimming import faded, trimmed
from voicemesh_tts.engines.sophon_vits.windows import LaunchWindow

# Long enough to be cheap, short enough that a span tells where an interruption fell.
_CHUNK_S = 0.1


class Finishing:
    """Trims, stretches and levels what the voice network gives."""

    def __init__(self, settings: SophonVitsSettings) -> None:
        """The voice keeps its own level until its ``gain`` is set."""
        self._settings = settings
        self._rate_hertz = settings.sample_rate_hertz
        self.gain = 1.0

    def speech(self, waveform: NDArray[np.float32]) -> NDArray[np.float32]:
        """What is audible of a waveform, from silence to silence; may be empty."""
        settings = self._settings
        return trimmed(waveform, self._rate_hertz, settings.silence_level, settings.tail_ms / 1000)

    def finished(self, waveform: NDArray[np.float32], speed: float) -> Samples:
        """The speech in a waveform at a speed, at the voice's level; may be empty."""
        speech = self.speech(waveform)
        if speed != 1.0:  # its new end is another sample
            speech = faded(stretched(speech, self._rate_hertz, speed), self._rate_hertz)
        return self.samples(speech)

    def samples(self, speech: NDArray[np.float32]) -> Samples:
        """Speech of -1 to 1 as samples at the voice's level."""
        scaled = np.clip(np.rint(speech * FULL_SCALE), -FULL_SCALE, FULL_SCALE - 1)
        return amplify(scaled.astype(np.int16), self.gain)

    def pause(self, window: LaunchWindow, speed: float) -> Samples:
        """The silence between a window and the next."""
        settings = self._settings
        length_ms = settings.joint_pause_ms
        if window.mark:
            ends_sentence = window.mark in ".!?"
            length_ms = settings.sentence_pause_ms if ends_sentence else settings.clause_pause_ms
        return np.zeros(round(length_ms / 1000 / speed * self._rate_hertz), np.int16)


def chunks(
    speech: Samples, pause: Samples, window: LaunchWindow, begin: int, end: int, rate_hertz: int
) -> Iterator[SpokenChunk]:
    """A window's audio, which says the code points [begin, end) of its unit.

    The network does not tell its durations: the text is spread over the audio, two
    parts for each syllable and one for the pause after each clause.
    """
    weights = [2.0] * len(window.characters)
    last = -1
    for clause in window.clauses:
        last += len(clause.characters)
        weights[last] += 1.0
    ends = np.cumsum(weights) / sum(weights) * len(speech)  # of each character, in samples
    borders = [begin, *(spoken.begin for spoken in window.characters[1:]), end]
    step = round(rate_hertz * _CHUNK_S)
    for first in range(0, len(speech), step):
        stop = min(first + step, len(speech))
        said, reached = np.searchsorted(ends, (first, stop - 1), "right")
        yield SpokenChunk(speech[first:stop], borders[said], borders[reached + 1])
    if len(pause):
        yield SpokenChunk(pause, borders[-2], end)
