"""Where long speech is cut, so that each piece is read in bounded time."""

from __future__ import annotations

import numpy as np

from voicemesh.audio import Samples
from voicemesh_asr.engines.moonshine.network import RATE_HERTZ

LONGEST = 12 * RATE_HERTZ
"""Samples of the longest piece. The network is good to about 30 s, but what has to be read
again at the end of a turn should fit into the silence before it: 12 s are read in about
0.15 s on a core."""
_FRAME = RATE_HERTZ // 50
_AROUND = 10
"""Frames of 20 ms over which the level is averaged: a breath between words."""


def cuts(samples: Samples) -> list[int]:
    """The ends of all pieces, the last one the end of ``samples``.

    A piece ends where it is quietest in the second half of the longest piece, which
    depends on the audio before that alone: more audio does not move it.
    """
    ends: list[int] = []
    begin = 0
    while len(samples) - begin > LONGEST:
        begin += _quietest(samples[begin : begin + LONGEST])
        ends.append(begin)
    return [*ends, len(samples)]


def _quietest(samples: Samples) -> int:
    half = len(samples) // 2
    frames = samples[half : half + (len(samples) - half) // _FRAME * _FRAME]
    levels = np.square(frames.astype(np.float32)).reshape(-1, _FRAME).mean(axis=1)
    smooth = np.convolve(levels, np.full(_AROUND, 1 / _AROUND), mode="valid")
    middle = int(smooth.argmin()) + _AROUND // 2
    return half + middle * _FRAME
