"""How long the speaker's sound takes to the microphone, by cross-correlation."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Signal = NDArray[np.float32]

_DECIMATION = 4
"""4 kHz is enough: an adaptive filter finds the rest."""
_WINDOW_S = 0.256
# How much of the older windows counts for the newest sum.
_MEMORY = 0.8
# How far the peak must stand out of all lags, in their root-mean-square.
_CLEAR_PEAK = 6.0
_AGREEING = 2
_SLACK_S = 0.004


class DelayFinder:
    """Sums cross-correlations of windows until one lag stands out.

    The spectra are whitened (the phase transform of C. Knapp, G. Carter, "The
    generalized correlation method for estimation of time delay", 1976), because
    speech alone correlates with itself at many lags.
    """

    def __init__(self, rate_hertz: int, longest_s: float) -> None:
        """``longest_s``: the longest delay that is looked for, in seconds."""
        self._rate = rate_hertz // _DECIMATION
        self._window = int(_WINDOW_S * self._rate)
        self._lags = int(longest_s * self._rate)
        self._size = 1 << (self._window + self._lags - 1).bit_length()
        self.heard_count = self._window * _DECIMATION
        """So many newest samples of the microphone are looked at."""
        self.played_count = (self._window + self._lags) * _DECIMATION
        """So many newest samples of the speaker are looked at."""
        self._sum = np.zeros(self._size // 2 + 1, np.complex128)
        self._last = -1
        self._agreed = 0

    def reset(self) -> None:
        """Forget all windows."""
        self._sum[:] = 0
        self._last, self._agreed = -1, 0

    def process(self, heard: Signal, played: Signal) -> int | None:
        """The delay in samples after another window; None: none stands out.

        ``heard`` and ``played`` end at the same moment and hold ``heard_count`` and
        ``played_count`` samples.
        """
        x = np.fft.rfft(_decimated(played), self._size)
        y = np.fft.rfft(_decimated(heard), self._size)
        cross = y * np.conj(x)
        self._sum = _MEMORY * self._sum + cross / (np.abs(cross) + 1e-6)
        # The window of the microphone begins ``lags`` after that of the speaker.
        products = np.fft.irfft(self._sum)
        lags = np.roll(products, self._lags)[: self._lags + 1]
        level = np.sqrt(np.mean(products**2))
        best = int(np.argmax(lags))
        if level <= 0 or lags[best] < _CLEAR_PEAK * level:
            self._agreed = 0
            return None
        near = abs(best - self._last) <= _SLACK_S * self._rate
        self._agreed = self._agreed + 1 if near else 1
        self._last = best
        return best * _DECIMATION if self._agreed >= _AGREEING else None


def _decimated(signal: Signal) -> Signal:
    """The means of four samples each: a crude low-pass, the same for both sides."""
    whole = signal[: len(signal) // _DECIMATION * _DECIMATION]
    means: Signal = whole.reshape(-1, _DECIMATION).mean(axis=1)
    return means
