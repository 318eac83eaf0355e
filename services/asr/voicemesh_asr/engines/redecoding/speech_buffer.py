"""The audio of one utterance that may still be decoded."""

from __future__ import annotations

import numpy as np

from voicemesh.audio import Samples


class SpeechBuffer:
    """Grows at its end and is cut at its begin. As long as the longest turn at most."""

    def __init__(self) -> None:
        """Nothing has been heard."""
        self._samples = np.zeros(0, dtype=np.int16)
        self._count = 0
        self.begin = 0
        """Samples of the utterance that have been cut off."""

    def __len__(self) -> int:
        """The number of samples held."""
        return self._count

    @property
    def end(self) -> int:
        """All samples heard of the utterance."""
        return self.begin + self._count

    def append(self, samples: Samples) -> None:
        """Hear more."""
        needed = self._count + len(samples)
        if needed > len(self._samples):
            grown = np.zeros(max(needed, 2 * self._count), dtype=np.int16)
            grown[: self._count] = self._samples[: self._count]
            self._samples = grown
        self._samples[self._count : needed] = samples
        self._count = needed

    def samples(self) -> Samples:
        """A copy of what is held, for another thread."""
        return self._samples[: self._count].copy()

    def cut(self, count: int) -> None:
        """Forget the first ``count`` samples."""
        count = min(count, self._count)
        self._samples = self._samples[count : self._count].copy()
        self._count -= count
        self.begin += count
