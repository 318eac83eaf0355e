"""Frames through a canceller that works block by block and may hold some back."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

import numpy as np

from voicemesh.audio import Samples
from voicemesh_robot.echo.cancelling import Cancelled, Canceller, CancellerStage

MakeCanceller = Callable[[int], Canceller]
"""From the length of a block, in samples."""
_BLOCKS = 2
"""Blocks of a frame: the shorter they are, the sooner an echo's end is noticed."""


class FrameCleaner:
    """Takes the echo out of frames with a canceller that works on shorter blocks.

    Frames go in; those of which is known what they are come out, in order.
    """

    def __init__(self, make: MakeCanceller, frame: int) -> None:
        """``frame``: samples of each frame."""
        self.frame = frame
        self._canceller = make(frame // _BLOCKS)
        self._blocks: deque[Cancelled] = deque()

    @property
    def stage(self) -> CancellerStage:
        """What is known."""
        return self._canceller.stage

    def process(self, heard: Samples, played: Samples) -> list[Cancelled]:
        """The next frame of the microphone, and what left the speaker meanwhile."""
        for part in zip(np.split(heard, _BLOCKS), np.split(played, _BLOCKS), strict=True):
            self._blocks.extend(self._canceller.process(*part))
        return [self._next() for _ in range(len(self._blocks) // _BLOCKS)]

    def _next(self) -> Cancelled:
        blocks = [self._blocks.popleft() for _ in range(_BLOCKS)]
        samples = np.concatenate([block.samples for block in blocks])
        # What holds something else as well is no echo.
        evidence = min((block.evidence for block in blocks), key=lambda one: one.likelihood)
        residual = np.concatenate(
            [block.samples if block.residual is None else block.residual for block in blocks]
        )
        return Cancelled(samples, evidence, any(block.is_user for block in blocks), residual)

    def shift(self, samples: float) -> None:
        """See Canceller."""
        self._canceller.shift(samples)

    def drop(self) -> None:
        """Nobody waits for what is held back any more."""
        self._canceller.drop()
        self._blocks.clear()

    def reset(self) -> None:
        """Another device, or the same in another place: learn anew."""
        self.drop()
        self._canceller.reset()
