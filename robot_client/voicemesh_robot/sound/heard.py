"""What a source of sound hands on: sound, silence, the end of a recording."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from voicemesh.v1 import common_pb2 as pb
from voicemesh_robot.echo.evidence import NO_ECHO, EchoEvidence, echo_message

if TYPE_CHECKING:
    from voicemesh.audio import Samples


@dataclass(frozen=True)
class HeardSound:
    """Samples that were heard."""

    first_sample: int
    samples: Samples
    echo: EchoEvidence = NO_ECHO
    """What is known of the robot's own voice in it, as of its last sample."""

    def message(self) -> pb.AudioChunk:
        """The same as it crosses the wire: LINEAR16, little-endian."""
        return pb.AudioChunk(
            audio=self.samples.astype("<i2", copy=False).tobytes(),
            first_sample=self.first_sample,
            echo=echo_message(self.echo),
        )


@dataclass(frozen=True)
class HeardSilence:
    """Samples that need no sending: nobody was expected to speak."""

    first_sample: int
    sample_count: int

    def message(self) -> pb.SilenceChunk:
        """The same as it crosses the wire."""
        return pb.SilenceChunk(first_sample=self.first_sample, sample_count=self.sample_count)


@dataclass(frozen=True)
class EndOfSpeech:
    """The end of speech, where the source knows it: a file is over."""

    sample: int

    def message(self) -> pb.EndOfUtterance:
        """The same as it crosses the wire."""
        return pb.EndOfUtterance(sample=self.sample)


Heard = HeardSound | HeardSilence | EndOfSpeech
