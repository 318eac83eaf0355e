"""Whether a text can have been spoken in a sound: not too fast, and not too slowly.

A network that hears laughter writes one word for two seconds of it; of a bang it writes
a sentence.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from voicemesh.audio import Samples

_FRAME_S = 0.04
_HOP_S = 0.01
_LOUD_PERCENTILE, _SOUNDING_DB = 95, -25.0
"""Sound is what is no further below a loud frame; the very loudest may be a click."""
_MOST_LETTERS_PER_S = 32.0
"""Half of 1,200 utterances of people and voices have 14, the fastest that were heard right 26:
a quarter more."""
_LETTERS_PER_S = 16.0
"""People speak about so fast: a little faster than half of those utterances."""
_LEAST_LETTERS_PER_S = 5.0
"""The slowest that were heard right have 6.5: a quarter less."""
_SLOW_FROM_S = 0.9
"""Seconds of sound from which a text may be too short for it: a drawn-out word is none."""
_LETTERS_OF_DIGIT = 4
"""A digit stands for a word."""
_LETTERS_OF_HANZI = 3
"""A Chinese character is a syllable."""
_LETTERS_OF_LETTER = 3
"""A letter that stands alone is spelt out."""


def sounding_s(samples: Samples, rate_hertz: int) -> float:
    """Seconds of sound, without the silence in it and around it."""
    frame, hop = round(_FRAME_S * rate_hertz), round(_HOP_S * rate_hertz)
    sound = np.pad(samples.astype(np.float64), (0, max(0, frame - len(samples))))
    # The variance of each frame: a microphone's offset and slow rumble are no sound.
    mean = _sums(sound, frame)[::hop] / frame
    power = _sums(np.square(sound), frame)[::hop] / frame - np.square(mean)
    loud = float(np.percentile(power, _LOUD_PERCENTILE))
    return float((power > loud * 10 ** (_SOUNDING_DB / 10)).sum()) * _HOP_S if loud > 0 else 0.0


def _sums(values: NDArray[np.float64], length: int) -> NDArray[np.float64]:
    """Of each ``length`` values in a row."""
    total = np.concatenate([[0.0], np.cumsum(values)])
    sums: NDArray[np.float64] = total[length:] - total[:-length]
    return sums


def letters(text: str) -> int:
    """About how many letters are spoken."""
    count = 0
    for word in text.split():
        signs = [sign for sign in word if sign.isalnum()]
        digits = sum(sign.isdigit() for sign in signs)
        hanzi = sum("\u4e00" <= sign <= "\u9fff" for sign in signs)
        if len(signs) == 1 and not digits:
            count += _LETTERS_OF_LETTER
        else:
            count += len(signs) + (_LETTERS_OF_DIGIT - 1) * digits + (_LETTERS_OF_HANZI - 1) * hanzi
    return count


def spoken_s(text: str) -> float:
    """About how many seconds somebody takes to say ``text``, English or Chinese."""
    return letters(text) / _LETTERS_PER_S


def is_too_fast(text: str, samples: Samples, rate_hertz: int) -> bool:
    """Whether nobody can have said all of ``text`` in these samples."""
    return letters(text) > _MOST_LETTERS_PER_S * max(sounding_s(samples, rate_hertz), _FRAME_S)


def is_too_slow(text: str, samples: Samples, rate_hertz: int) -> bool:
    """Whether somebody who says ``text`` has long ended before this sound has."""
    sounding = sounding_s(samples, rate_hertz)
    return sounding >= _SLOW_FROM_S and letters(text) < _LEAST_LETTERS_PER_S * sounding
