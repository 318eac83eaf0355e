"""The newest audio of a turn, which the audio turn model is asked about."""

from __future__ import annotations

from collections import deque

import numpy as np

from voicemesh.audio import Samples, StreamResampler
from voicemesh_asr.turn_detection.shared_model import SharedModel
from voicemesh_asr.turn_detection.turn_model import TurnModel, window_of


class TurnAudio:
    """Keeps the newest audio of one speaker's turn and asks the audio turn model about it."""

    def __init__(self, shared: SharedModel[TurnModel], rate_hertz: int) -> None:
        """``rate_hertz``: of the samples that will be fed."""
        self._shared = shared
        self._rate = rate_hertz
        self._resampler = self._new_resampler()
        self._parts: deque[Samples] = deque()
        self._length = 0

    def _new_resampler(self) -> StreamResampler:
        return StreamResampler(self._rate, self._shared.model.rate_hertz)

    def feed(self, samples: Samples) -> None:
        """More of the turn."""
        part = self._resampler.process(samples)
        self._parts.append(part)
        self._length += len(part)
        while self._length - len(self._parts[0]) >= self._shared.model.window_samples:
            self._length -= len(self._parts.popleft())

    async def complete(self) -> float | None:
        """How likely the speaker has finished, 0 to 1; None where the model cannot tell."""
        turn = np.concatenate(self._parts) if self._parts else np.zeros(0, dtype=np.int16)
        window = window_of(turn, self._shared.model.window_samples)
        return await self._shared.ask(lambda model: model.complete(window))

    def forget(self) -> None:
        """The turn is over."""
        self._parts.clear()
        self._length = 0
        self._resampler = self._new_resampler()
