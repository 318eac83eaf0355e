"""A robot's microphone beside its speaker, simulated: what of its own voice it hears."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from voicemesh.audio import Samples

Signal = NDArray[np.float64]
"""Shape (n,), in units of int16 samples."""

# A small loudspeaker gives little below and above these, in hertz.
_SPEAKER_BAND_HERTZ = (200.0, 6_500.0)
_SPEAKER_TAPS = 129
# Half the length of the interpolation kernel that resamples for clock drift.
_KERNEL = 16


@dataclass(frozen=True)
class Room:
    """The way from the speaker to the microphone."""

    delay_ms: float
    """From the sample's play-out to its arrival: buffers of the devices, and air."""
    decay_ms: float = 250.0
    """The time in which the room's echo falls by 60 dB."""
    direct_db: float = 6.0
    """The direct sound's energy against that of all reflections."""
    distortion: float = 0.25
    """How far the loudest samples drive the speaker's soft saturation, as the
    argument of a tanh; 0: linear. 0.25 gives harmonics of about -40 dB, 0.5 of -30."""
    drift_ppm: float = 0.0
    """How much faster the microphone's crystal runs than the speaker's."""
    seed: int = 0
    """Of the reflections."""

    @classmethod
    def drawn(cls, rng: np.random.Generator) -> Room:
        """A room by chance: 0 to 400 ms of delay, decays of 100 to 500 ms, up to 40 ppm."""
        return cls(
            delay_ms=float(rng.uniform(0, 400)),
            decay_ms=float(rng.uniform(100, 500)),
            direct_db=float(rng.uniform(3, 12)),
            distortion=float(rng.uniform(0.1, 0.5)),
            drift_ppm=float(rng.uniform(-40, 40)),
            seed=int(rng.integers(1 << 31)),
        )

    def impulse_response(self, rate_hertz: int) -> Signal:
        """The linear part without the delay: direct sound, then decaying noise; energy 1.

        Reflections are white noise under an exponential envelope, the common model
        of diffuse reverberation; the first come 1 ms after the direct sound.
        """
        rng = np.random.default_rng(self.seed)
        length = max(2, int(self.decay_ms * rate_hertz / 1000))
        times = np.arange(length) / rate_hertz
        tail = rng.standard_normal(length) * 10 ** (-3 * times / (self.decay_ms / 1000))
        tail[: rate_hertz // 1000] = 0
        tail *= 10 ** (-self.direct_db / 20) / np.sqrt(np.sum(tail**2))
        tail[0] = 1.0
        response = np.convolve(tail, _speaker_response(rate_hertz))
        return np.asarray(response / np.sqrt(np.sum(response**2)), dtype=np.float64)

    def echo(self, played: Samples, rate_hertz: int) -> Signal:
        """What the microphone hears of ``played``, as long as it; its level is about the same."""
        wide = played.astype(np.float64)
        if self.distortion:
            loudest = max(1.0, float(np.abs(wide).max(initial=0.0)))
            drive = self.distortion / loudest
            wide = np.tanh(wide * drive) / drive
        response = self.impulse_response(rate_hertz)
        heard = convolve(wide, response)[: len(wide)]
        return _moved(heard, self.delay_ms * rate_hertz / 1000, 1 + self.drift_ppm * 1e-6)


def _speaker_response(rate_hertz: int) -> Signal:
    """A band-pass as a windowed sinc."""
    low, high = (hertz / rate_hertz for hertz in _SPEAKER_BAND_HERTZ)
    n = np.arange(_SPEAKER_TAPS) - _SPEAKER_TAPS // 2
    taps = 2 * high * np.sinc(2 * high * n) - 2 * low * np.sinc(2 * low * n)
    return np.asarray(taps * np.hamming(_SPEAKER_TAPS), dtype=np.float64)


def convolve(signal: Signal, response: Signal) -> Signal:
    """The full convolution, shape (n + m - 1,), by Fourier transforms."""
    length = len(signal) + len(response) - 1
    size = 1 << (length - 1).bit_length()
    spectrum = np.fft.rfft(signal, size) * np.fft.rfft(response, size)
    return np.asarray(np.fft.irfft(spectrum, size)[:length], dtype=np.float64)


def _moved(signal: Signal, delay: float, speed: float) -> Signal:
    """Sample n of the answer is the signal at ``n / speed - delay``, by windowed sinc."""
    at = np.arange(len(signal)) / speed - delay
    whole = np.floor(at).astype(np.int64)
    fraction = at - whole
    padded = np.pad(signal, _KERNEL)
    out = np.zeros(len(signal))
    for tap in range(1 - _KERNEL, _KERNEL + 1):
        distance = fraction - tap
        window = np.cos(np.pi * distance / (2 * _KERNEL + 2)) ** 2
        index = np.clip(whole + tap + _KERNEL, 0, len(padded) - 1)
        out += padded[index] * np.sinc(distance) * window
    return out


def active_level(samples: Samples | Signal, rate_hertz: int) -> float:
    """The root-mean-square of the speech in a recording, its pauses left out.

    Frames of 20 ms count that are less than 30 dB below the loudest.
    """
    size = rate_hertz // 50
    frames = np.asarray(samples[: len(samples) // size * size], dtype=np.float64)
    power = np.mean(frames.reshape(-1, size) ** 2, axis=1)
    if not len(power) or power.max() <= 0:
        return 0.0
    return float(np.sqrt(power[power > power.max() * 1e-3].mean()))
