"""Where speech ends in a recording, judged by its energy alone."""

from __future__ import annotations

import numpy as np

from voicemesh.audio import Samples
from voicemesh.audio_format import FULL_SCALE

FRAME_MS = 10
BELOW_LOUDEST_DB = 35.0
FLOOR_DBFS = -60.0


class SpeechEndFinder:
    """Finds the sample after the last voiced one.

    The rule: cut the recording into frames of 10 ms. A frame is voiced when its
    root-mean-square level is above -60 dB full scale and less than 35 dB below
    the loudest frame's. The answer is the sample after the last voiced frame, or
    0 where none is voiced.

    35 dB is what lies between a stressed vowel and the weak consonants that end
    a word; room noise and the decay after a word are farther down in a clean
    recording. Nothing of the mesh takes part in the judgement.
    """

    def __init__(self, rate_hertz: int) -> None:
        """``rate_hertz`` of the samples that will be fed."""
        self._frame = rate_hertz * FRAME_MS // 1000
        self._rest = np.zeros(0, dtype=np.int16)
        self._frames = 0
        self._loudest = FLOOR_DBFS
        # Frames that are louder than all after them, loudest first: the last one
        # above a threshold is always among them, whatever the threshold becomes.
        self._candidates: list[tuple[float, int]] = []

    def feed(self, samples: Samples) -> None:
        """Take note of the next samples, shape (n,), int16."""
        joined = np.concatenate([self._rest, samples])
        whole = len(joined) // self._frame * self._frame
        self._rest = joined[whole:]
        self._judge(joined[:whole].reshape(-1, self._frame))

    def _judge(self, frames: Samples) -> None:
        power = np.mean(np.square(frames.astype(np.float64)), axis=1) / FULL_SCALE**2
        for level in 10 * np.log10(np.maximum(power, 1e-12)):
            self._frames += 1
            self._loudest = max(self._loudest, float(level))
            while self._candidates and self._candidates[-1][0] <= level:
                self._candidates.pop()
            self._candidates.append((float(level), self._frames))

    def end_sample(self) -> int:
        """The sample after the last voiced one of what was fed; 0: nothing is voiced.

        A last frame of less than 10 ms is judged as if silence filled it up.
        """
        if len(self._rest):
            self.feed(np.zeros(self._frame - len(self._rest), dtype=np.int16))
        threshold = max(self._loudest - BELOW_LOUDEST_DB, FLOOR_DBFS)
        voiced = [end for level, end in self._candidates if level > threshold]
        return max(voiced, default=0) * self._frame
