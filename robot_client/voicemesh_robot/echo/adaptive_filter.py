"""Learns the way from the speaker to the microphone, and predicts the echo.

The partitioned-block frequency-domain adaptive filter with the step of a Kalman
filter. The way is a random walk W(k+1) = A W(k) + noise, the user and the
room's noise are the observation noise, and the gain that follows from both
is large while the filter is unsure and nobody speaks, and small while the user
speaks over the reply. So it needs no detector of double talk.

Sources: G. Enzner, P. Vary, "Frequency-domain adaptive Kalman filter for acoustic
echo control in hands-free telephones", Signal Processing 86 (2006), 1140-1156;
F. Kuech, E. Mabande, G. Enzner, "State-space architecture of the partitioned-block-based
acoustic echo controller", ICASSP 2014 (there: the diagonalised form used here).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Spectrum = NDArray[np.complex64]
Power = NDArray[np.float32]
Signal = NDArray[np.float32]

# The way keeps this much of itself from block to block: slow enough to forget nothing
# within a reply, fast enough to follow who walks through the room.
_KEPT = 0.998
# How slowly the power of user and noise is followed, per block.
_NOISE_MEMORY = 0.8
# The first uncertainty, in powers of the echo that is to be explained, and how much
# less of it each later block of the way has, in dB: rooms decay. Measured on simulated
# rooms: 12 dB after a second of speech; without the decay and too large it takes five.
_DOUBT = 3.0
_DECAY_DB = 2.0
# Below this power of a bin nothing can be learnt: less than the rounding to int16.
_FLOOR = 1e-3


class Prediction(NamedTuple):
    """A block, taken apart. Powers are those of a transform of twice the block."""

    residual: Signal
    """What the filter does not explain, shape (block,)."""
    echo: Signal
    """What it takes for echo, shape (block,)."""
    residual_power: Power
    """Shape (block + 1,)."""
    echo_power: Power
    """Shape (block + 1,), of this block and the one before it, halved."""


class AdaptiveFilter:
    """The adaptive filter of one microphone and speaker: blocks of float32, in int16 units."""

    def __init__(self, block: int, partitions: int) -> None:
        """The filter is ``block * partitions`` samples long."""
        self._block = block
        self._partitions = partitions
        bins = block + 1
        self._played: Spectrum = np.zeros((partitions, bins), np.complex64)
        self._powers: Power = np.zeros((partitions, bins), np.float32)
        self._before: Signal = np.zeros(block, np.float32)
        self._way: Spectrum = np.zeros((partitions, bins), np.complex64)
        self._unsure: Power = np.zeros((partitions, bins), np.float32)
        self._noise: Power = np.zeros(bins, np.float32)
        self._turn = 0

    def forget_played(self) -> None:
        """What was played before is not the past of what comes (silence, or another delay)."""
        self._played[:] = 0
        self._powers[:] = 0
        self._before[:] = 0

    def recall(self, played: Signal) -> None:
        """What was played right before what comes, shape (n,): the newest blocks of it."""
        self.forget_played()
        needed = min(len(played) // self._block, self._partitions + 1) * self._block
        for part in np.split(played[len(played) - needed :], max(1, needed // self._block)):
            self._play(part)

    def copy(self) -> AdaptiveFilter:
        """The same way and doubt, with nothing played."""
        twin = AdaptiveFilter(self._block, self._partitions)
        twin._way[:] = self._way
        twin._unsure[:] = self._unsure
        twin._noise[:] = self._noise
        return twin

    def reset(self, power_gain: float) -> None:
        """Learn anew. ``power_gain``: the echo's power by what was played, about."""
        self.forget_played()
        self._way[:] = 0
        self._noise[:] = 0
        profile = 10 ** (-_DECAY_DB * np.arange(self._partitions) / 10)
        self._unsure[:] = (_DOUBT * power_gain * profile / profile.sum())[:, None]

    def process(self, heard: Signal, played: Signal) -> Prediction:
        """The next block of both, shape (block,)."""
        block = self._block
        self._play(played)
        predicted = (self._played * self._way).sum(axis=0)
        echo = np.fft.irfft(predicted)[block:].astype(np.float32)
        residual = heard - echo
        padded = np.concatenate([np.zeros(block, np.float32), residual])
        error = np.fft.rfft(padded).astype(np.complex64)
        power = error.real**2 + error.imag**2
        self._learn(error, power)
        echo_power = 0.5 * (predicted.real**2 + predicted.imag**2)
        return Prediction(residual, echo, power, echo_power)

    def _play(self, played: Signal) -> None:
        spectrum = np.fft.rfft(np.concatenate([self._before, played])).astype(np.complex64)
        self._before = played
        self._played[1:] = self._played[:-1]
        self._played[0] = spectrum
        self._powers[1:] = self._powers[:-1]
        self._powers[0] = spectrum.real**2 + spectrum.imag**2

    def _learn(self, error: Spectrum, power: Power) -> None:
        block = self._block
        self._noise = _NOISE_MEMORY * self._noise + (1 - _NOISE_MEMORY) * power
        uncertain = self._unsure * self._powers
        gain = self._unsure / (uncertain.sum(axis=0) + self._noise + _FLOOR)
        self._way += gain * error * np.conj(self._played)
        # A way is no longer than its partition: what wraps around is taken back. Each
        # block does it for every second partition, which halves the work and does no harm.
        self._turn = 1 - self._turn
        taps = np.fft.irfft(self._way[self._turn :: 2], axis=1)
        taps[:, block:] = 0
        self._way[self._turn :: 2] = np.fft.rfft(taps, axis=1)
        shrink = 1 - 0.5 * gain * self._powers
        kept = np.float32(_KEPT**2)
        self._unsure *= kept * shrink
        self._unsure += (1 - kept) * (self._way.real**2 + self._way.imag**2)

    def taps(self) -> Signal:
        """The way as it is known, shape (block * partitions,)."""
        return np.fft.irfft(self._way, axis=1)[:, : self._block].reshape(-1).astype(np.float32)
