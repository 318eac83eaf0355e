"""Whether a microphone may hear somebody: cheap enough to be asked of every frame."""

from __future__ import annotations

import numpy as np

_LOUDER = 2.0  # 6 dB. Noise that hardly changes stays within 3 dB from frame to frame.
_FAINTEST = 32.0  # Of 65536 from peak to peak, -66 dBFS: what a converter makes of nothing.
_RISE_PER_S = 1.41  # 3 dB: a question raises it little, and a louder fan is known in seconds.
_RELEASE_S = 0.1  # Detectors hear a word until a moment after its end.


class SoundLevel:
    """Compares a microphone with its own noise.

    The noise is the faintest that was heard: it follows a fainter frame at once and
    rises slowly. A detector is asked elsewhere; here a mistake costs a message, or the
    wait for the next common moment, and no word.
    """

    def __init__(self, rate_hertz: int) -> None:
        """Nothing is known of the noise before the first frame, which counts as faint."""
        self._rate = rate_hertz
        self._noise = 0.0
        self._faint_s = _RELEASE_S

    def process(self, audio: bytes) -> bool:
        """Whether somebody may be heard in ``audio``: LINEAR16, mono, at least one sample.

        So is whatever follows within 100 ms.
        """
        samples = np.frombuffer(audio, dtype="<i2")
        seconds = len(samples) / self._rate
        # From peak to peak: no constant offset counts, and one loud sample in a long frame does.
        level = max(_FAINTEST, float(samples.max()) - float(samples.min()))
        noise = self._noise or level
        self._noise = min(level, noise * _RISE_PER_S**seconds)
        if level > noise * _LOUDER:
            self._faint_s = 0.0
            return True
        self._faint_s += seconds
        return self._faint_s < _RELEASE_S
