"""The audio of a reply, collected to be written as a file."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from voicemesh.audio import Samples, pcm16
from voicemesh.errors import ProtocolViolation
from voicemesh.v1 import common_pb2 as pb
from voicemesh_robot.files.audio_file import write_wav

LONGEST_REPLY_S = 900
"""No answer is that long; a mesh that never stops talking is cut off here."""


class ReplyCollector:
    """Collects a reply's chunks in order and writes them as a WAV file."""

    def __init__(self, rate_hertz: int) -> None:
        """``rate_hertz``: the rate of the reply."""
        self.rate_hertz = rate_hertz
        self.sample_count = 0
        """Samples that have been collected."""
        self._chunks: list[Samples] = []
        self._volumes: list[tuple[int, float]] = []

    @property
    def seconds(self) -> float:
        """The length of what has been collected, in seconds."""
        return self.sample_count / self.rate_hertz

    def add(self, chunk: pb.AudioChunk) -> int:
        """Append a chunk that continues the reply; returns its length in samples."""
        if chunk.first_sample != self.sample_count:
            raise ProtocolViolation(
                f"orchestrator: reply audio continues at sample {chunk.first_sample} instead of "
                f"{self.sample_count}; install the same version on both sides",
                stage=pb.STAGE_ORCHESTRATOR,
            )
        samples = pcm16(chunk.audio)
        if self.sample_count + len(samples) > LONGEST_REPLY_S * self.rate_hertz:
            raise ProtocolViolation(
                f"orchestrator: the reply is longer than {LONGEST_REPLY_S} s; ask for less",
                stage=pb.STAGE_ORCHESTRATOR,
            )
        self._chunks.append(samples)
        self.sample_count += len(samples)
        return len(samples)

    def set_volume(self, volume: float, from_sample: int) -> None:
        """From there on it was heard at ``volume``, a share of the usual one, 0 to 1."""
        if volume != (self._volumes[-1][1] if self._volumes else 1.0):
            self._volumes.append((from_sample, volume))

    def cut(self, sample_count: int) -> None:
        """Forget what follows the first ``sample_count`` samples: nobody heard it."""
        kept = self._collected()[:sample_count]
        self._chunks = [kept]
        self.sample_count = len(kept)

    def _collected(self) -> Samples:
        return np.concatenate([np.zeros(0, dtype=np.int16), *self._chunks])

    def samples(self) -> Samples:
        """Everything collected, as loud as it was heard, shape (n,), int16."""
        samples = self._collected()
        end = len(samples)
        for begin, volume in reversed(self._volumes):
            if volume != 1:
                samples[begin:end] = (samples[begin:end] * volume).astype(np.int16)
            end = begin
        return samples

    def write(self, path: Path) -> None:
        """Write it as 16-bit WAV; blocks while the disk does."""
        write_wav(path, self.samples(), self.rate_hertz)
