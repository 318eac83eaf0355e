"""The audio of a reply, collected to be written as a file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from voicemesh.errors import ProtocolViolation
from voicemesh.v1 import common_pb2 as pb

if TYPE_CHECKING:
    from voicemesh.audio import Samples

LONGEST_REPLY_S = 900
"""No answer is that long; a mesh that never stops talking is cut off here."""


class ReplyCollector:
    """Collects a reply's chunks in order and writes them as a WAV file."""

    def __init__(self, rate_hertz: int) -> None:
        """``rate_hertz``: the rate of the reply."""
        self.rate_hertz = rate_hertz
        self.sample_count = 0
        """Samples that have been collected."""
        self._audio = bytearray()  # LINEAR16, as it came.
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
        count = len(chunk.audio) // 2
        if self.sample_count + count > LONGEST_REPLY_S * self.rate_hertz:
            raise ProtocolViolation(
                f"orchestrator: the reply is longer than {LONGEST_REPLY_S} s; ask for less",
                stage=pb.STAGE_ORCHESTRATOR,
            )
        self._audio += chunk.audio
        self.sample_count += count
        return count

    def set_volume(self, volume: float, from_sample: int) -> None:
        """From there on it was heard at ``volume``, a share of the usual one, 0 to 1."""
        if volume != (self._volumes[-1][1] if self._volumes else 1.0):
            self._volumes.append((from_sample, volume))

    def cut(self, sample_count: int) -> None:
        """Forget what follows the first ``sample_count`` samples: nobody heard it."""
        del self._audio[2 * sample_count :]
        self.sample_count = len(self._audio) // 2

    def samples(self) -> Samples:
        """Everything collected, as loud as it was heard, shape (n,), int16."""
        from voicemesh.audio import pcm16  # Text alone does without numpy.

        samples = pcm16(bytes(self._audio)).astype("int16")
        end = len(samples)
        for begin, volume in reversed(self._volumes):
            if volume != 1:
                samples[begin:end] = (samples[begin:end] * volume).astype("int16")
            end = begin
        return samples

    def write(self, path: Path) -> None:
        """Write it as 16-bit WAV; blocks while the disk does."""
        from voicemesh_robot.files.audio_file import write_wav

        write_wav(path, self.samples(), self.rate_hertz)
