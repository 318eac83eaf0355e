"""How much audio a message carries: the first as little as there is, later ones more."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from voicemesh.audio import Samples
from voicemesh_tts.piece_synthesizer import Speech

_LONGEST_S = 0.15


class GrowingMessages:
    """Gathers the audio of a piece, because messages are what a stream costs.

    Audio is held until it is as long as what was sent of the same unit before it,
    at most 150 ms. What was sent takes that long to play, so an engine that keeps
    up with real time completes each message in time. Where a unit ends the next
    one begins small again.
    """

    def __init__(self, rate_hertz: int, send: Callable[[Speech], None]) -> None:
        """``send`` takes gathered audio, which is never empty."""
        self._send = send
        self._longest = int(rate_hertz * _LONGEST_S)
        self._held: list[Speech] = []
        self._held_samples = 0
        self._sent_samples = 0

    def add(self, speech: Speech) -> None:
        """More audio; a pause ends a unit."""
        if speech.pause:
            self.flush()
            self._sent_samples = 0
            if len(speech.samples):
                self._send(speech)
            return
        self._held.append(speech)
        self._held_samples += len(speech.samples)
        if self._held_samples >= min(self._sent_samples, self._longest):
            self.flush()

    def flush(self) -> None:
        """Send what is held."""
        if not self._held_samples:
            return
        begin, end = self._held[0].begin, self._held[-1].end
        samples: Samples = np.concatenate([speech.samples for speech in self._held])
        self._sent_samples += self._held_samples
        self._held.clear()
        self._held_samples = 0
        self._send(Speech(samples, begin, end))
