"""Sounds that are no speech: knocks at a door, coughs. Made here, no two alike."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from voicemesh.audio import FULL_SCALE, Samples
from voicemesh_robot.evaluation.turns.speech import RATE_HERTZ

# About as loud as speech beside the microphone.
_PEAK_DBFS = -8.0
_KNOCK_HERTZ = (90.0, 240.0, 510.0)
# Where a throat resonates; the share of each resonance.
_COUGH_HERTZ = ((500.0, 1.0), (1400.0, 0.6), (2600.0, 0.4))

Signal = NDArray[np.float64]


def knock(rng: np.random.Generator) -> Samples:
    """Two or three knocks: resonances of a board that die away within a tenth of a second."""
    times = np.arange(int(0.12 * RATE_HERTZ)) / RATE_HERTZ
    parts: list[Signal] = []
    for _ in range(int(rng.integers(2, 4))):
        blow = np.zeros(len(times))
        for hertz in _KNOCK_HERTZ:
            pitch = hertz * rng.uniform(0.9, 1.1)
            blow += rng.uniform(0.5, 1) * np.sin(2 * np.pi * pitch * times)
        click = rng.standard_normal(len(times)) * np.exp(-times / 0.003)
        parts += [
            blow * np.exp(-times / rng.uniform(0.015, 0.03)) + click,
            np.zeros(int(rng.uniform(0.05, 0.12) * RATE_HERTZ)),
        ]
    return _loud(np.concatenate(parts))


def cough(rng: np.random.Generator) -> Samples:
    """One or two coughs: bursts of noise, shaped by a throat."""
    parts: list[Signal] = []
    for _ in range(int(rng.integers(1, 3))):
        length = int(rng.uniform(0.15, 0.3) * RATE_HERTZ)
        spectrum = np.fft.rfft(rng.standard_normal(length))
        hertz = np.fft.rfftfreq(length, 1 / RATE_HERTZ)
        shape = np.full(len(hertz), 0.05)
        for centre, share in _COUGH_HERTZ:
            width = centre * 0.3
            shape += share / (1 + ((hertz - centre * rng.uniform(0.9, 1.1)) / width) ** 2)
        burst = np.fft.irfft(spectrum * shape, length)
        times = np.arange(length) / RATE_HERTZ
        burst *= (1 - np.exp(-times / 0.008)) * np.exp(-times / rng.uniform(0.05, 0.1))
        parts += [burst, np.zeros(int(rng.uniform(0.08, 0.15) * RATE_HERTZ))]
    return _loud(np.concatenate(parts))


def _loud(signal: Signal) -> Samples:
    peak = FULL_SCALE * 10 ** (_PEAK_DBFS / 20)
    return np.asarray(signal * peak / np.abs(signal).max(), dtype=np.int16)
