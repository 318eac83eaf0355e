"""What the turn machine keeps of the user's spoken turn."""

from __future__ import annotations

from dataclasses import dataclass

from voicemesh.v1.common_pb2 import Stamp
from voicemesh_orchestrator.turn.policy import UNSPECIFIED, Policy


@dataclass(frozen=True)
class Wanted:
    """What is wanted of the spoken turn that is expected, or under way."""

    answer: bool = True
    """Whether it is answered, or only heard."""
    policy: Policy = UNSPECIFIED
    """Of its answer."""


USUAL = Wanted()


@dataclass
class UserTurn:
    """The user's spoken turn that is under way."""

    stamp: Stamp
    spoke_over: bool
    """Whether it began during a reply."""
    over: Stamp | None
    """The reply that it is said over, while it is open what that means."""
