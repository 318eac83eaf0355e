"""The reply that is under way: whether it is heard, held, and when it gives way.

The robot has the floor from the first audio of a reply to its end (S.SPEAK,
S.LISTEN), and keeps it where somebody made a sound that meant nothing (C.SPEAK).
"""

from __future__ import annotations

from voicemesh.v1 import dialog_pb2 as pb
from voicemesh.v1.common_pb2 import Stamp
from voicemesh_orchestrator.turn.effects import (
    Effect,
    EndTurn,
    HoldReply,
    MoveFloor,
    ResumeReply,
    StopReply,
)
from voicemesh_orchestrator.turn.policy import DUCK, IGNORE, UNSPECIFIED, Outcome, Policy


class ReplyState:
    """At most one reply at a time."""

    def __init__(self, policy: Policy) -> None:
        """``policy``: what happens when the user speaks over a reply."""
        self._policy = policy
        self.policy = policy
        """What happens when the user speaks over this reply."""
        self.stamp: Stamp | None = None
        """The turn that is being answered."""
        self.audible = False
        """Whether something of the reply has been sent to be heard."""
        self.held = False
        """Whether it is paused, or quieter, until it is clear what was meant."""

    def begin(self, stamp: Stamp, policy: Policy = UNSPECIFIED) -> None:
        """A reply is begun; ``policy``: its own, or else the usual one."""
        self.stamp, self.audible, self.held = stamp, False, False
        self.policy = policy or self._policy

    def sounds(self) -> list[Effect]:
        """Its first audio has been sent."""
        if self.audible:
            return []
        self.audible = True
        return [MoveFloor(pb.FLOOR_STATE_SPEAK, pb.FLOOR_TRANSITION_START_SPEAK, "reply")]

    def hold(self) -> list[Effect]:
        """Somebody may be interrupting: hold the reply, where its policy says so."""
        if self.stamp is None or self.held or self.policy == IGNORE:
            return []
        self.held = True
        # A reply that nobody has heard yet is not begun while somebody speaks.
        return [HoldReply(self.stamp, duck=self.policy == DUCK and self.audible)]

    def resume(self, reason: str) -> list[Effect]:
        """It was no interruption: a reply that is held goes on."""
        if self.stamp is None or not self.held:
            return []
        self.held = False
        return [ResumeReply(self.stamp, reason), *self.keep_floor(reason)]

    def keep_floor(self, reason: str) -> list[Effect]:
        """Somebody has made a sound over it, and it goes on."""
        if not self.audible:
            return []
        return [MoveFloor(pb.FLOOR_STATE_SPEAK, pb.FLOOR_TRANSITION_CONTINUE_SPEAK, reason)]

    def stop(self, reason: str, outcome: Outcome) -> list[Effect]:
        """Stop it before its end."""
        if self.stamp is None:
            return []
        stopped = StopReply(self.stamp, reason)
        return [stopped, *self.end(reason, outcome)]

    def end(self, reason: str, outcome: Outcome) -> list[Effect]:
        """It is over; the floor is free."""
        if self.stamp is None:
            return []
        effects: list[Effect] = [EndTurn(self.stamp, outcome)]
        if self.audible:
            effects.append(
                MoveFloor(pb.FLOOR_STATE_LISTEN, pb.FLOOR_TRANSITION_START_LISTEN, reason)
            )
        self.stamp = None
        self.audible = self.held = False
        self.policy = self._policy
        return effects
