"""A new filter learns from what has just been heard, and says whether it explains that."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from voicemesh_robot.echo.adaptive_filter import AdaptiveFilter
from voicemesh_robot.echo.residual_test import ResidualTest

Signal = NDArray[np.float32]

# No speaker is heard louder than this, as a gain of power: what is, is the user.
_GREATEST_GAIN = 4.0


@dataclass(frozen=True)
class Rehearsal:
    """A filter that has learnt, as it was before the first block."""

    learner: AdaptiveFilter
    explained_db: float
    """How much less of the second half was left than heard."""


def rehearse(
    heard: Signal, played: Signal, block: int, partitions: int, test: ResidualTest
) -> Rehearsal:
    """Learn from whole blocks of both, shape (n,). ``test`` notes the noise in them."""
    energy = float(np.dot(played, played)) + 1.0
    learner = AdaptiveFilter(block, partitions)
    learner.reset(min(_GREATEST_GAIN, float(np.dot(heard, heard)) / energy))
    power_heard = power_left = 1.0
    for begin in range(0, len(heard), block):
        part = slice(begin, begin + block)
        prediction = learner.process(heard[part], played[part].copy())
        test.note_noise(prediction.residual_power)
        if begin >= len(heard) // 2:
            power_heard += float(np.dot(heard[part], heard[part]))
            power_left += float(np.dot(prediction.residual, prediction.residual))
    learner.forget_played()
    return Rehearsal(learner, 10 * math.log10(power_heard / power_left))
