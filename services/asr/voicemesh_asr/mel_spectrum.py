"""Whisper's front end: samples to the logarithmic mel spectrum that the encoder reads.

25 ms frames every 10 ms at 16 kHz, periodic Hann window, the ends mirrored; power;
mel triangles on Slaney's scale with equal areas; the logarithm, bounded to 8 decades
below its maximum, moved to about -1..1. The maximum is that of one window, so levels
differ a little from a whole file's; Whisper was trained window by window.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

from voicemesh.audio import Samples
from voicemesh.audio_format import FULL_SCALE

RATE_HERTZ = 16_000
HOP = 160
"""Samples from one frame to the next."""
_FRAME = 400
_HALF = _FRAME // 2
_FLOOR = 1e-10

Floats = NDArray[np.float32]


def _to_mel(hertz: NDArray[np.float64]) -> NDArray[np.float64]:
    """Slaney's scale: linear up to 1 kHz, then 27 steps to a factor of 6.4."""
    above = 15.0 + 27.0 * np.log(np.maximum(hertz, 1000.0) / 1000.0) / np.log(6.4)
    return np.where(hertz < 1000.0, hertz * 3.0 / 200.0, above)


def _to_hertz(mel: NDArray[np.float64]) -> NDArray[np.float64]:
    above = 1000.0 * np.exp(np.log(6.4) * (np.maximum(mel, 15.0) - 15.0) / 27.0)
    return np.where(mel < 15.0, mel * 200.0 / 3.0, above)


@cache
def mel_filters(mels: int) -> Floats:
    """The triangles, [mels, 201 frequencies], over 0 to 8000 Hz."""
    highest = np.float64(RATE_HERTZ / 2)
    corners = _to_hertz(np.linspace(0.0, _to_mel(np.asarray(highest)), mels + 2))
    frequencies = np.linspace(0.0, highest, _HALF + 1)
    low, middle, high = (corners[k : k + mels, None] for k in range(3))
    rising = (frequencies - low) / (middle - low)
    falling = (high - frequencies) / (high - middle)
    triangles = np.maximum(0.0, np.minimum(rising, falling))
    return np.asarray(triangles * 2.0 / (high - low), dtype=np.float32)


@cache
def _window() -> Floats:
    angle = 2.0 * np.pi * np.arange(_FRAME) / _FRAME
    return np.asarray(0.5 - 0.5 * np.cos(angle), dtype=np.float32)


def log_mel(samples: Samples, mels: int, frames: int) -> Floats:
    """The spectrum of one window, [mels, frames].

    ``samples`` at 16 kHz, at most ``frames`` * 160 of them; silence is added behind.
    """
    return log_mel_of(samples * np.float32(1 / FULL_SCALE), mels, frames)


def log_mel_of(wave: Floats, mels: int, frames: int) -> Floats:
    """As :func:`log_mel`, of a wave that is not bound to full scale, which is 1."""
    total = frames * HOP
    if len(wave) > total:
        raise ValueError(f"{len(wave)} samples are more than a window of {total}")
    # Only frames that touch a sample are computed: the others are known to be silent.
    touched = min(frames, -(-(len(wave) + _HALF) // HOP))
    padded = np.zeros(max(total, _HALF + 1) + _FRAME, dtype=np.float32)
    padded[_HALF : _HALF + len(wave)] = wave
    padded[:_HALF] = padded[_FRAME:_HALF:-1]
    padded[_HALF + total : _FRAME + total] = padded[_HALF + total - 2 : total - 2 : -1]
    cut = np.lib.stride_tricks.sliding_window_view(padded, _FRAME)[: touched * HOP : HOP]
    spectrum = np.fft.rfft(cut * _window(), axis=1)
    power = np.square(spectrum.real) + np.square(spectrum.imag)
    bands = np.full((mels, frames), np.log10(_FLOOR), dtype=np.float32)
    bands[:, :touched] = np.log10(np.maximum(mel_filters(mels) @ power.T, _FLOOR))
    np.maximum(bands, bands.max() - 8.0, out=bands)
    return (bands + np.float32(4.0)) / np.float32(4.0)
