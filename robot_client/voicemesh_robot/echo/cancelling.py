"""What an echo canceller is to the rest of the robot."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Literal, Protocol

from voicemesh_robot.echo.evidence import EchoEvidence
from voicemesh_robot.local_vad import LocalVad, Voice

if TYPE_CHECKING:
    from voicemesh.audio import Samples

CancellerName = Literal["builtin", "webrtc"]


class CancellerStage(Enum):
    """What is known of the way from the speaker to the microphone."""

    IDLE = "idle"
    """Nothing plays: the microphone passes untouched."""
    SEARCHING = "searching"
    """A reply plays; whether and when the microphone hears it is not known yet."""
    APART = "apart"
    """The microphone does not hear the speaker, as far as is known."""
    LOCKED = "locked"
    """The delay is known and the filter learns."""


@dataclass(frozen=True)
class Cancelled:
    """A block, or a frame, without echo."""

    samples: Samples
    """Digital silence where nothing but echo was found."""
    evidence: EchoEvidence
    is_user: bool = True
    """Whether speech in it is somebody's. False: it may be, but only if more follows."""
    residual: Samples | None = None
    """What is left of the echo as well, for a detector that hears all; None: ``samples``."""

    @property
    def is_only_echo(self) -> bool:
        """Whether an echo was found and nothing beside it.

        Digital silence of a microphone itself, in which no echo was found, is sound like any other.
        """
        return self.evidence.likelihood > 0 and not self.samples.any()

    def judge(self, vad: LocalVad) -> Voice:
        """What it is taken for beside the echo. ``vad`` hears all, so that it knows the past."""
        voice = vad.judge(self.samples if self.residual is None else self.residual)
        return Voice.NONE if self.is_only_echo else voice


@dataclass(frozen=True)
class EchoTimes:
    """What a canceller is made for; reasons stand at the settings."""

    longest_delay_ms: float = 500
    delay_ms: float | None = None
    """The delay to try first, in what the canceller is given; None: none is known."""
    tail_ms: int = 200
    search_ms: int = 900
    hold_ms: int = 200
    threshold_db: float = 4.5


class Canceller(Protocol):
    """One microphone and one speaker at one rate, block by block. Synchronous."""

    @property
    def stage(self) -> CancellerStage:
        """What is known."""
        ...

    def process(self, heard: Samples, played: Samples) -> Sequence[Cancelled]:
        """The microphone's next block, and what left the speaker meanwhile; both int16.

        Gives the blocks of which is known by now what they are, in order. Blocks
        may be held back, for two seconds at most, and come later.
        """
        ...

    def drop(self) -> None:
        """Nobody waits for the blocks held back any more."""
        ...

    def shift(self, samples: float) -> None:
        """From now on what was played is given so much sooner before its echo."""
        ...

    def reset(self) -> None:
        """Another device, or the same in another place: forget the way."""
        ...
