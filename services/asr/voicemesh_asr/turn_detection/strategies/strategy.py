"""What a strategy is asked, what it answers, and how several are one.

A strategy looks at a turn that has fallen silent and says how much silence ends
it, or None where it has no opinion. They are asked in order and the first
opinion counts, so an order is a policy: who knows most comes first, and
:class:`~voicemesh_asr.turn_detection.strategies.silence.FixedSilence`, which always
has an opinion, comes last.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from voicemesh.v1 import asr_pb2 as pb
from voicemesh_asr.turn_detection.completeness.judgement import NO_MARK, Judgement
from voicemesh_asr.turn_detection.pauses import Pauses


@dataclass(frozen=True)
class SilentTurn:
    """A turn in which the speaker has fallen silent, and what is known of it."""

    text: str = ""
    judgement: Judgement = NO_MARK
    """What the text ends with."""
    endpoint: bool = False
    """The recogniser itself says that the utterance is over."""
    complete: float | None = None
    """How likely an audio model thinks that the speaker has finished, 0 to 1; None: not asked."""
    pauses: Pauses = field(default_factory=Pauses)
    """The speaker's pauses inside turns so far."""


@dataclass(frozen=True)
class WaitVerdict:
    """How much silence ends the turn, and why."""

    wait_ms: int
    reason: pb.TurnReason.ValueType
    confidence: float = 0.5
    """How sure the strategy is that the speaker has finished, 0 to 1."""
    finished: bool = True
    """False: more is expected, so nothing should be begun on this text."""


class WaitStrategy(Protocol):
    """One way to tell how long to wait."""

    def verdict(self, turn: SilentTurn) -> WaitVerdict | None:
        """An opinion on ``turn``; None: no opinion."""


class FirstOpinion:
    """Several strategies as one."""

    def __init__(self, strategies: Sequence[WaitStrategy]) -> None:
        """``strategies`` in the order in which they are asked; the last always knows."""
        self._strategies = tuple(strategies)

    def verdict(self, turn: SilentTurn) -> WaitVerdict:
        """The first opinion."""
        for strategy in self._strategies:
            found = strategy.verdict(turn)
            if found is not None:
                return found
        raise ValueError("no strategy had an opinion; end the list with FixedSilence")
