"""What a robot knows of its own voice in its microphone."""

from __future__ import annotations

from dataclasses import dataclass

from voicemesh.v1 import common_pb2 as pb


@dataclass(frozen=True)
class EchoEvidence:
    """What is known of the robot's own voice in a block."""

    likelihood: float = 0.0
    """How likely the robot alone is heard, 0 to 1."""
    delay_ms: float | None = None
    """From the play-out to the microphone; None: not known."""
    return_loss_db: float | None = None
    """How much weaker the echo is than what was played, both against full scale."""
    cancelled_db: float | None = None
    """How much weaker the echo is after the filter than before it."""


NO_ECHO = EchoEvidence()


def echo_message(evidence: EchoEvidence) -> pb.EchoEvidence | None:
    """The same as it crosses the wire; None where there is nothing to tell."""
    if evidence == NO_ECHO:
        return None
    return pb.EchoEvidence(
        likelihood=evidence.likelihood,
        delay_ms=evidence.delay_ms,
        return_loss_db=evidence.return_loss_db,
        cancelled_db=evidence.cancelled_db,
    )
