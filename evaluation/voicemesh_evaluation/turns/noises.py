"""Sounds that are no speech: knocks, slams, typing, coughs, breaths. Made here, no two alike."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from voicemesh.audio import Samples
from voicemesh.audio_format import FULL_SCALE
from voicemesh_evaluation.turns.speech import RATE_HERTZ

# About as loud as speech beside the microphone.
_PEAK_DBFS = -8.0
_BREATH_DBFS = -18.0
_KNOCK_HERTZ = (90.0, 240.0, 510.0)
# Where a throat resonates; the share of each resonance.
_COUGH_HERTZ = ((500.0, 1.0), (1400.0, 0.6), (2600.0, 0.4))
# A mouth that is half open lets the higher ones through.
_BREATH_HERTZ = ((900.0, 0.5), (1800.0, 1.0), (3200.0, 0.7))
_SLAM_HERTZ = (45.0, 85.0, 160.0, 300.0)
_KEYS_A_SECOND = (5.0, 9.0)

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


def slam(rng: np.random.Generator) -> Samples:
    """A door falls shut: low resonances, a burst of air, and a lock that rattles after it."""
    times = np.arange(int(0.5 * RATE_HERTZ)) / RATE_HERTZ
    door = np.zeros(len(times))
    for hertz in _SLAM_HERTZ:
        pitch = hertz * rng.uniform(0.85, 1.15)
        decay = np.exp(-times / rng.uniform(0.05, 0.12))
        door += rng.uniform(0.5, 1) * decay * np.sin(2 * np.pi * pitch * times)
    air = rng.standard_normal(len(times)) * np.exp(-times / rng.uniform(0.02, 0.05))
    rattle = rng.standard_normal(len(times)) * np.exp(-np.abs(times - 0.12) / 0.006)
    return _loud(door + 0.8 * air + 0.3 * rattle)


def typing(rng: np.random.Generator) -> Samples:
    """A second or two at a keyboard: a click as each key goes down, a softer one as it comes up."""
    length = int(rng.uniform(1.0, 2.0) * RATE_HERTZ)
    keys = np.zeros(length)
    click = np.arange(int(0.03 * RATE_HERTZ)) / RATE_HERTZ
    position_s = 0.0
    while True:
        for gain, delay_s in ((1.0, 0.0), (0.4, rng.uniform(0.06, 0.1))):
            first = int((position_s + delay_s) * RATE_HERTZ)
            if first + len(click) > length:
                return _loud(keys)
            tone = np.sin(2 * np.pi * rng.uniform(1500, 4000) * click)
            sound = (rng.standard_normal(len(click)) + tone) * np.exp(-click / 0.004)
            keys[first : first + len(click)] += gain * rng.uniform(0.5, 1) * sound
        position_s += 1 / rng.uniform(*_KEYS_A_SECOND)


def cough(rng: np.random.Generator) -> Samples:
    """One or two coughs: bursts of noise, shaped by a throat."""
    parts: list[Signal] = []
    for _ in range(int(rng.integers(1, 3))):
        length = int(rng.uniform(0.15, 0.3) * RATE_HERTZ)
        times = np.arange(length) / RATE_HERTZ
        burst = _throat(rng, length, _COUGH_HERTZ)
        burst *= (1 - np.exp(-times / 0.008)) * np.exp(-times / rng.uniform(0.05, 0.1))
        parts += [burst, np.zeros(int(rng.uniform(0.08, 0.15) * RATE_HERTZ))]
    return _loud(np.concatenate(parts))


def breath(rng: np.random.Generator) -> Samples:
    """Somebody breathes out into the microphone: soft noise that swells and fades."""
    length = int(rng.uniform(0.4, 0.9) * RATE_HERTZ)
    swell = np.sin(np.pi * np.linspace(0, 1, length)) ** 2
    return _loud(_throat(rng, length, _BREATH_HERTZ) * swell, _BREATH_DBFS)


def _throat(
    rng: np.random.Generator, length: int, resonances: tuple[tuple[float, float], ...]
) -> Signal:
    """Noise that is shaped by a throat."""
    spectrum = np.fft.rfft(rng.standard_normal(length))
    hertz = np.fft.rfftfreq(length, 1 / RATE_HERTZ)
    shape = np.full(len(hertz), 0.05)
    for centre, share in resonances:
        width = centre * 0.3
        shape += share / (1 + ((hertz - centre * rng.uniform(0.9, 1.1)) / width) ** 2)
    return np.fft.irfft(spectrum * shape, length)


NOISES: Sequence[Callable[[np.random.Generator], Samples]] = (knock, cough, slam, typing, breath)
"""All of them."""


def _loud(signal: Signal, peak_dbfs: float = _PEAK_DBFS) -> Samples:
    peak = FULL_SCALE * 10 ** (peak_dbfs / 20)
    return np.asarray(signal * peak / np.abs(signal).max(), dtype=np.int16)
