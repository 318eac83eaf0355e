"""From the network's spectra to the waveform, its beginning first, for which somebody waits.

The library's ``dsp.synth`` makes a unit's waveform at one go, which is a third of the time to
its first audio. Its formula goes frame by frame, and samples follow from the four frames
around them; so the beginning is made of the first frames alone, and is the same.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from hibari import dsp
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Spectrum = NDArray[np.complex64]

_FIRST_FRAMES = 64
"""0.8 s: the silence before the first sound, about half of it, and longer than the rest takes."""
_BEFORE, _BEHIND = 1, 2
"""Frames beside its own that the samples of a frame need."""


def waveform(
    harmonic_size: Floats,
    harmonic_turn: Floats,
    noise_size: Floats,
    free_size: Floats,
    free_phase: Floats,
    pitch_hertz: Floats,
) -> Iterator[Floats]:
    """The waveform in parts, each computed when it is asked for; the same each time.

    The network's outputs: logarithms of sizes, and phases, [frequencies, frames]; the pitch,
    [frames], below 40 Hz where there is no voice.
    """
    frames = len(pitch_hertz)
    source = np.pad(dsp.pulses(pitch_hertz), dsp.N_FFT // 2, mode="reflect")
    windows = np.lib.stride_tricks.sliding_window_view(source, dsp.N_FFT)[:: dsp.HOP]
    random = np.random.default_rng(0)

    def spectrum(part: slice) -> Spectrum:
        pulses = dsp.rfft(windows[part][: part.stop - part.start] * dsp.WIN_SRC, 1).T
        turn = np.tanh(harmonic_turn[:, part]) * np.float32(np.pi)
        noise: Spectrum = random.standard_normal(
            (len(noise_size), 2 * (part.stop - part.start)), dtype=np.float32
        ).view(np.complex64)
        voiced = pulses * _polar(harmonic_size[:, part], turn)
        free = _polar(free_size[:, part], free_phase[:, part])
        together: Spectrum = voiced + noise * dsp.ex(noise_size[:, part]) + free
        return together

    held = np.zeros((len(noise_size), 0), np.complex64)
    first = done = 0
    for begin, end in _parts(frames):
        held = np.concatenate([held, spectrum(slice(begin, end))], axis=1)
        ready = end if end == frames else end - _BEHIND
        samples: Floats = dsp.ola(held)
        yield samples[(done - first) * dsp.HOP : (ready - first) * dsp.HOP]
        kept = max(first, ready - _BEFORE)
        held, first, done = held[:, kept - first :], kept, ready


def _parts(frames: int) -> Sequence[tuple[int, int]]:
    if frames < 2 * _FIRST_FRAMES:
        return [(0, frames)]
    return [(0, _FIRST_FRAMES), (_FIRST_FRAMES, frames)]


def _polar(size: Floats, angle: Floats) -> Spectrum:
    """Numbers of the size whose logarithm is given."""
    out = np.empty(angle.shape, np.complex64)
    np.cos(angle, out=out.real)
    np.sin(angle, out=out.imag)
    out *= dsp.ex(size)
    return out
