"""Which result of a window is good enough, and what is tried where none is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from voicemesh_asr.engines.sophon_whisper.decoding import Decoded


@dataclass(frozen=True)
class Fallback:
    """Whisper's thresholds."""

    compression_ratio: float = 2.4
    """A text that zlib shortens more than this repeats itself."""
    log_probability: float = -1.0
    """A text whose tokens are on average less likely than this is a guess."""
    no_speech: float = 0.6
    """From this probability on, nobody may have spoken."""

    def is_poor(self, decoded: Decoded) -> bool:
        """Whether another temperature should be tried."""
        if decoded.no_speech > self.no_speech:
            return False
        return (
            decoded.compression_ratio > self.compression_ratio
            or decoded.average < self.log_probability
        )

    def is_silence(self, decoded: Decoded) -> bool:
        """Whether the window holds no speech, whatever the text says."""
        return decoded.no_speech > self.no_speech and decoded.average <= self.log_probability

    def first_good(
        self, temperatures: Sequence[float], decode: Callable[[float], Decoded]
    ) -> Decoded:
        """The first result that is not poor; the last one where all are."""
        decoded = decode(temperatures[0])
        for temperature in temperatures[1:]:
            if not self.is_poor(decoded):
                break
            decoded = decode(temperature)
        return decoded
