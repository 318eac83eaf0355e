"""How parts of a conversation have done what the turn machine has decided."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from voicemesh_orchestrator.turn.effects import Effect
from voicemesh_orchestrator.turn.policy import UNSPECIFIED, Policy


class Decisions(Protocol):
    """Whoever has the machine's decisions carried out."""

    def carry_out(self, effects: Sequence[Effect]) -> None:
        """Carry out what the machine has decided, in order."""


class SpeakingDecisions(Decisions, Protocol):
    """The same, and the robot speaks by itself."""

    def speak(self, text: str, policy: Policy = UNSPECIFIED, commanded: bool = False) -> bool:
        """Have the robot speak ``text``; whether the floor is free for it."""
