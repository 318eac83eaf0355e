"""Whether what is heard is the known echo after all, only sooner or later than it was."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from voicemesh_robot.echo.adaptive_filter import Signal

_LOUDEST_GAIN = 4.0
"""An echo that has moved is about as loud as before: at most this factor either way."""


class Likeness(NamedTuple):
    """The best agreement of what is heard with the echo as it would be at other times."""

    begin: float
    """Where the way begins then, in samples after the play-out."""
    share: float
    """The correlation there, 0 to 1."""


class EchoLikeness:
    """Compares the newest sound with everything that a known way makes of what was played.

    A user's voice resembles that of the robot little; the same echo at another time is
    the same but for noise, within a few hundredths of a second. Both are differentiated,
    since the low tones of all voices are alike.
    """

    def __init__(self, latest: int, taps: int, longest_window: int) -> None:
        """``latest`` beginning of the way that is looked for; its length; both in samples."""
        self._latest = latest
        self._taps = taps
        self._size = 1 << (longest_window + latest + taps - 1).bit_length()
        self._way: NDArray[np.complex64] = np.zeros(self._size // 2 + 1, np.complex64)

    def learn(self, taps: Signal) -> None:
        """The way as it was when all was well, shape (taps,)."""
        sharpened = np.diff(taps, prepend=np.float32(0), append=np.float32(0))
        self._way = np.fft.rfft(sharpened, self._size).astype(np.complex64)

    def played_count(self, window: int) -> int:
        """So much of what was played is needed to look at ``window`` samples."""
        return window + self._latest + self._taps

    def find(self, heard: Signal, played: Signal) -> Likeness:
        """``heard``, shape (window,), and ``played_count(window)`` samples up to the same end."""
        window = len(heard)
        near = np.diff(heard, prepend=heard[:1])
        echo_spectrum = np.fft.rfft(played, self._size) * self._way
        near_spectrum = np.fft.rfft(near, self._size)
        products = np.fft.irfft(echo_spectrum * np.conj(near_spectrum), self._size)
        echo = np.fft.irfft(echo_spectrum, self._size)[: len(played)]
        sums = np.concatenate([[0.0], np.cumsum(echo.astype(np.float64) ** 2)])
        # The echo from ``taps`` on is whole; the window lies latest, ..., 0 samples before its end.
        first = self._taps
        energies = sums[first + window : len(sums)] - sums[first : len(sums) - window]
        energy = float(np.dot(near, near)) + 1.0
        within = products[first : first + len(energies)]
        ratio = energies / energy
        alike = (ratio < _LOUDEST_GAIN**2) & (ratio > _LOUDEST_GAIN**-2)
        shares = np.where(alike, within / np.sqrt(energies * energy + 1.0), 0.0)
        best = int(np.argmax(shares))
        offset, share = 0.0, float(shares[best])
        if 0 < best < len(shares) - 1:
            # The parabola through the peak and its neighbours.
            left, right = float(shares[best - 1]), float(shares[best + 1])
            bend = 2 * share - left - right
            if bend > 0:
                offset = 0.5 * (right - left) / bend
                share += 0.25 * (right - left) * offset
        return Likeness(self._latest - best - offset, share)
