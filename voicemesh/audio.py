"""Audio as the mesh carries it: mono int16 samples at one rate a stream."""

from __future__ import annotations

import math

import numpy as np
import soxr
from numpy.typing import NDArray

from voicemesh.audio_format import FULL_SCALE

Samples = NDArray[np.int16]
"""Mono samples, shape (n,), dtype int16."""


def pcm16(data: bytes) -> Samples:
    """Bytes of LINEAR16 as samples; a view, not a copy. The length must be even."""
    return np.frombuffer(data, dtype="<i2")


def dbfs(samples: Samples) -> float:
    """Root-mean-square level in dB below full scale; -inf for silence or nothing."""
    if len(samples) == 0:
        return -math.inf
    rms = float(np.sqrt(np.mean(np.square(samples.astype(np.float64)))))
    return 20 * math.log10(rms / FULL_SCALE) if rms > 0 else -math.inf


class StreamResampler:
    """Changes the rate of a stream of mono int16 samples, chunk by chunk."""

    def __init__(self, in_hertz: int, out_hertz: int) -> None:
        """Equal rates pass samples through untouched."""
        self._stream = (
            None
            if in_hertz == out_hertz
            else soxr.ResampleStream(in_hertz, out_hertz, 1, dtype="int16")
        )

    def process(self, samples: Samples) -> Samples:
        """What can be given out after these samples; may be shorter or empty."""
        if self._stream is None or len(samples) == 0:
            return samples
        resampled: Samples = self._stream.resample_chunk(samples)
        return resampled

    def finish(self) -> Samples:
        """The tail. Nothing may be processed afterwards."""
        empty = np.zeros(0, dtype=np.int16)
        if self._stream is None:
            return empty
        tail: Samples = self._stream.resample_chunk(empty, last=True)
        return tail
