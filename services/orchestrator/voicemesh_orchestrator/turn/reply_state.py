"""The reply that is under way: whether it is heard, held, and when it gives way.

The robot has the floor from the first audio of a reply to its end (S.SPEAK,
S.LISTEN), and keeps it where somebody made a sound that meant nothing (C.SPEAK).
"""

from __future__ import annotations

from dataclasses import dataclass

from voicemesh.v1.common_pb2 import Stamp
from voicemesh_orchestrator.turn.effects import (
    Effect,
    EndTurn,
    HoldReply,
    MoveFloor,
    ResumeReply,
    StopReply,
)
from voicemesh_orchestrator.turn.phase import FloorMove
from voicemesh_orchestrator.turn.policy import DUCK, IGNORE, UNSPECIFIED, Outcome, Policy


@dataclass
class _Reply:
    """One reply, from its begin to its end."""

    stamp: Stamp
    policy: Policy
    audible: bool = False
    held: bool = False


class ReplyState:
    """At most one reply at a time."""

    def __init__(self, policy: Policy) -> None:
        """``policy``: what happens when the user speaks over a reply."""
        self._usual_policy = policy
        self._reply: _Reply | None = None

    @property
    def stamp(self) -> Stamp | None:
        """The turn that is being answered."""
        return None if self._reply is None else self._reply.stamp

    @property
    def policy(self) -> Policy:
        """What happens when the user speaks over this reply."""
        return self._usual_policy if self._reply is None else self._reply.policy

    @property
    def audible(self) -> bool:
        """Whether something of the reply has been sent to be heard."""
        return self._reply is not None and self._reply.audible

    @property
    def held(self) -> bool:
        """Whether it is paused, or quieter, until it is clear what was meant."""
        return self._reply is not None and self._reply.held

    def begin(self, stamp: Stamp, policy: Policy = UNSPECIFIED) -> None:
        """A reply is begun; ``policy``: its own, or else the usual one."""
        self._reply = _Reply(stamp, policy or self._usual_policy)

    def becomes_audible(self) -> list[Effect]:
        """Its first audio has been sent."""
        if self._reply is None or self._reply.audible:
            return []
        self._reply.audible = True
        return [MoveFloor(FloorMove.START_SPEAK, "reply")]

    def hold(self) -> list[Effect]:
        """Somebody may be interrupting: hold the reply, where its policy says so."""
        reply = self._reply
        if reply is None or reply.held or reply.policy == IGNORE:
            return []
        reply.held = True
        # A reply that nobody has heard yet is not begun while somebody speaks.
        return [HoldReply(reply.stamp, duck=reply.policy == DUCK and reply.audible)]

    def resume(self, reason: str) -> list[Effect]:
        """It was no interruption: a reply that is held goes on."""
        if self._reply is None or not self._reply.held:
            return []
        self._reply.held = False
        return [ResumeReply(self._reply.stamp, reason), *self.keep_floor(reason)]

    def keep_floor(self, reason: str) -> list[Effect]:
        """Somebody has made a sound over it, and it goes on."""
        return [MoveFloor(FloorMove.CONTINUE_SPEAK, reason)] if self.audible else []

    def stop(self, reason: str, outcome: Outcome) -> list[Effect]:
        """Stop it before its end."""
        if self._reply is None:
            return []
        stopped = StopReply(self._reply.stamp, reason)
        return [stopped, *self.end(reason, outcome)]

    def end(self, reason: str, outcome: Outcome) -> list[Effect]:
        """It is over; the floor is free."""
        reply, self._reply = self._reply, None
        if reply is None:
            return []
        effects: list[Effect] = [EndTurn(reply.stamp, outcome)]
        if reply.audible:
            effects.append(MoveFloor(FloorMove.START_LISTEN, reason))
        return effects
