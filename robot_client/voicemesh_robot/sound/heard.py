"""What a source of sound hands on: sound, silence, the end of a recording."""

from __future__ import annotations

from dataclasses import dataclass

from voicemesh.audio import Samples
from voicemesh_robot.echo.evidence import NO_ECHO, Evidence


@dataclass(frozen=True)
class Sound:
    """Samples that were heard."""

    first_sample: int
    samples: Samples
    echo: Evidence = NO_ECHO
    """What is known of the robot's own voice in it, as of its last sample."""


@dataclass(frozen=True)
class Silence:
    """Samples that need no sending: nobody was expected to speak."""

    first_sample: int
    sample_count: int


@dataclass(frozen=True)
class EndOfSpeech:
    """The recording is over, and the source knows it."""

    sample: int


Heard = Sound | Silence | EndOfSpeech
