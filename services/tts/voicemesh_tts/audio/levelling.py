"""Equal loudness: a constant gain per voice, and a limiter for its peaks."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from voicemesh.audio import Samples
from voicemesh.audio_format import FULL_SCALE

_FRAME_S = 0.02
# Two-stage gating after ITU-R BS.1770: silence is left out first, then what is
# far below the average, so that pauses do not count.
_ABSOLUTE_GATE_DBFS = -60.0
_RELATIVE_GATE_DB = -10.0
_MAX_GAIN_DB = 20.0
# Above this share of full scale peaks are bent instead of cut.
_KNEE = 0.7


def speech_level_dbfs(samples: Samples, rate_hertz: int) -> float:
    """The RMS level of the voiced parts in dB below full scale; -inf for silence."""
    frame = max(1, int(rate_hertz * _FRAME_S))
    count = len(samples) // frame
    if count == 0:
        return -math.inf
    frames = samples[: count * frame].astype(np.float64).reshape(count, frame) / FULL_SCALE
    power = np.mean(np.square(frames), axis=1)
    loud = power[power > 10 ** (_ABSOLUTE_GATE_DBFS / 10)]
    if len(loud) == 0:
        return -math.inf
    voiced = loud[loud > np.mean(loud) * 10 ** (_RELATIVE_GATE_DB / 10)]
    return 10 * math.log10(float(np.mean(voiced)))


def gain_to(target_dbfs: float, samples: Samples, rate_hertz: int) -> float:
    """The factor that brings a voice, heard in ``samples``, to the target level."""
    level = speech_level_dbfs(samples, rate_hertz)
    if level == -math.inf:
        return 1.0
    return float(10 ** (min(target_dbfs - level, _MAX_GAIN_DB) / 20))


def amplify(samples: Samples, gain: float) -> Samples:
    """Samples times ``gain``, with peaks softly limited below full scale."""
    scaled: NDArray[np.float32] = samples.astype(np.float32) * np.float32(gain / FULL_SCALE)
    size = np.abs(scaled)
    over = size > _KNEE
    if over.any():
        bent = _KNEE + (1 - _KNEE) * np.tanh((size[over] - _KNEE) / (1 - _KNEE))
        scaled[over] = np.copysign(bent, scaled[over])
    limited: Samples = np.rint(scaled * (FULL_SCALE - 1)).astype(np.int16)
    return limited
