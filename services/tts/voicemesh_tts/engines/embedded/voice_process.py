"""The child process of a voice: a library, its levels, and the shaping of its audio."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from voicemesh.audio import Samples
from voicemesh_tts.audio.levelling import gain_to
from voicemesh_tts.audio.shaping import Shaper, WordClock
from voicemesh_tts.engines.embedded.native_library import NativeLibrary
from voicemesh_tts.engines.engine import Voice

log = logging.getLogger(__name__)

Item = tuple[bytes, int, int]
"""What a child emits: little-endian int16 samples, and the span of text they say."""

# Spoken once to learn how loud a voice is. Digits are read in every language.
_CALIBRATION = {
    "en": "The quick brown fox jumps over the lazy dog.",
    "zh": "今天天气很好, 我们一起去公园散步吧.",
}
_CALIBRATION_ANY = "1 2 3 4 5 6 7 8 9 10"


@dataclass(frozen=True)
class VoiceProcessConfig:
    """How a child is set up."""

    target_level_dbfs: float
    warm_voices: tuple[str, ...]
    """Voices to load and measure before the child is ready; others on first use."""


class VoiceProcess:
    """Synthesises units with one library. Every voice is brought to the same level."""

    def __init__(self, library: NativeLibrary, config: VoiceProcessConfig) -> None:
        """Warms up the configured voices."""
        self._library = library
        self._target = config.target_level_dbfs
        self._gains: dict[str, float] = {}
        for name in config.warm_voices:
            if name in library.voices:
                self._gain(name)

    def voices(self) -> Sequence[Voice]:
        """All voices of the library."""
        return list(self._library.voices.values())

    def _gain(self, voice: str) -> float:
        if voice not in self._gains:
            blocks: list[Samples] = []

            def keep(samples: Samples) -> bool:
                blocks.append(samples)
                return True

            about = self._library.voices[voice]
            text = _CALIBRATION.get(about.languages[0], _CALIBRATION_ANY)
            self._library.render(voice, text, 1.0, lambda word: None, keep)
            heard = np.concatenate(blocks) if blocks else np.zeros(0, dtype=np.int16)
            self._gains[voice] = gain_to(self._target, heard, about.native_rate_hertz)
        return self._gains[voice]

    def speak(self, voice: str, text: str, rate: float, emit: Callable[[Item], bool]) -> None:
        """Emit the audio of a unit; stops within a chunk after ``emit`` returned False."""
        clock = WordClock(len(text))

        def send(samples: Samples, first: int, stop: int, last: bool) -> bool:
            begin, end = clock.span(first, stop, complete=last)
            return emit((samples.astype("<i2").tobytes(), begin, end))

        about = self._library.voices[voice]
        shaper = Shaper(about.native_rate_hertz, self._gain(voice), send)
        self._library.render(voice, text, rate, clock.add, shaper.feed)
        shaper.finish()


def flite(config: VoiceProcessConfig) -> VoiceProcess:
    """A child that holds flite."""
    from voicemesh_tts.engines.embedded.flite import Flite

    return VoiceProcess(Flite(), config)


def espeak(config: VoiceProcessConfig) -> VoiceProcess:
    """A child that holds espeak-ng, and with it the GPL."""
    from voicemesh_tts.engines.embedded.espeak import Espeak

    return VoiceProcess(Espeak(), config)
