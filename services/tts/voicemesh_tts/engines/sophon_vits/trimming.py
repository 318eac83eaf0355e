"""Where speech begins and ends in the buffer of the voice network."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

# The end is looked for in windows of two frames, as the demo that these models come
# from does; the beginning more finely.
_END_WINDOW = 512
_BEGIN_WINDOW = 80
# Kept before the first sound, so that no onset is clipped.
_LEAD_S = 0.010
# The shortest fade: long enough not to click, too short to be heard as one.
_LEAST_FADE_S = 0.005


def audible(samples: NDArray[np.float32], level: float) -> tuple[int, int]:
    """The first audible sample and the one after the last; equal when there is none.

    A stretch is audible when its mean absolute value is above ``level``.
    """
    ends = _loud(samples, _END_WINDOW, level)
    begins = _loud(samples, _BEGIN_WINDOW, level)
    if not len(ends) or not len(begins):
        return 0, 0
    return int(begins[0]) * _BEGIN_WINDOW, (int(ends[-1]) + 1) * _END_WINDOW


def trimmed(
    samples: NDArray[np.float32], rate_hertz: int, level: float, tail_s: float
) -> NDArray[np.float32]:
    """The speech with a short lead, and a tail that fades to silence; may be empty."""
    begin, end = audible(samples, level)
    if begin >= end:
        return samples[:0]
    lead = min(begin, round(rate_hertz * _LEAD_S))
    tail = min(len(samples) - end, round(rate_hertz * tail_s))
    return faded(samples[begin - lead : end + tail], rate_hertz, lead, tail)


def faded(
    samples: NDArray[np.float32], rate_hertz: int, lead: int = 0, tail: int = 0
) -> NDArray[np.float32]:
    """Samples that begin and end in silence: ``lead`` and ``tail`` of them, at least 5 ms, fade."""
    out = samples.copy()
    least = min(round(rate_hertz * _LEAST_FADE_S), len(out))
    for edge in (out[: max(lead, least)], out[::-1][: max(tail, least)]):
        ramp = np.linspace(0, np.pi / 2, len(edge), dtype=np.float32)
        edge *= np.sin(ramp) ** 2
    return out


def _loud(samples: NDArray[np.float32], window: int, level: float) -> NDArray[np.intp]:
    count = len(samples) // window
    means = np.abs(samples[: count * window]).reshape(count, window).mean(axis=1)
    return np.flatnonzero(means > level)
