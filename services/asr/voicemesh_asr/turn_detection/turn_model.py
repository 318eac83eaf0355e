"""The protocol of an audio turn model, a plug-in point.

Such a model has learned from intonation and rhythm whether a speaker has
finished. It is asked once at each pause, beside the recogniser's final pass, in
a thread of its own.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np

from voicemesh.audio import Samples


class TurnModel(Protocol):
    """Judges the end of one speaker's turn. Synchronous; one call at a time."""

    rate_hertz: int
    """The rate of the samples that it takes."""
    window_samples: int
    """How many samples it looks at: the newest of the turn."""

    def complete(self, window: Samples) -> float:
        """How likely the speaker has finished, 0 to 1.

        ``window``: int16 of shape (window_samples,), the turn at its end; where the
        turn is shorter, silence stands before it.
        """


def window_of(turn: Samples, window_samples: int) -> Samples:
    """The newest ``window_samples`` of a turn, with silence in front where it is shorter."""
    newest = turn[-window_samples:]
    window = np.zeros(window_samples, dtype=np.int16)
    window[window_samples - len(newest) :] = newest
    return window
