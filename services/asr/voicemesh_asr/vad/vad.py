"""The protocol of a voice activity detector."""

from __future__ import annotations

from typing import Protocol

from voicemesh.audio import Samples

INLINE = "inline"
"""Tag of a detector that takes microseconds a frame: it runs on the event loop,
where a thread would cost ten times as much as it saves."""


class Vad(Protocol):
    """Judges frames of one speaker's audio, in order. Synchronous.

    A detector only judges; smoothing and hang-over are done once for all of them
    in :mod:`voicemesh_asr.vad.activity`.
    """

    rate_hertz: int
    """The rate of the samples that it takes."""
    frame_samples: int
    """The length of a frame, in samples."""

    def probability(self, frame: Samples) -> float:
        """How likely the next ``frame_samples`` samples are speech, 0 to 1."""

    def reset(self) -> None:
        """Forget what was heard."""
