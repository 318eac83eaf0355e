"""Whose turn it is: a pure state machine without time, tasks or network.

Inputs are method calls; each returns the effects that the conversation must
carry out, in order. The machine alone mints stamps.

The floor follows arXiv 2405.19487: LISTEN and SPEAK, with the transitions
S.SPEAK (the robot takes the floor) and S.LISTEN (it gives the floor back).

At most one spoken turn is being heard and at most one turn is being answered;
both at once happens when text is typed while the user speaks, or when the user
speaks while the robot does.
"""

from __future__ import annotations

from dataclasses import dataclass

from voicemesh.errors import InvalidArgument, VoiceMeshError
from voicemesh.stamps import order
from voicemesh.v1 import dialog_pb2 as pb
from voicemesh.v1.common_pb2 import Stamp

MAX_TYPED_CHARS = 4000


@dataclass(frozen=True)
class StartReply:
    """Answer ``question`` under ``stamp``."""

    stamp: Stamp
    question: str


@dataclass(frozen=True)
class StopReply:
    """Stop the reply of ``stamp``: whatever of it is under way is void."""

    stamp: Stamp
    reason: str


@dataclass(frozen=True)
class Apologise:
    """Say that something went wrong; the turn of ``stamp`` ends with ``error``."""

    stamp: Stamp
    error: VoiceMeshError


@dataclass(frozen=True)
class EndTurn:
    """The turn of ``stamp`` is over."""

    stamp: Stamp
    outcome: pb.TurnOutcome.ValueType


@dataclass(frozen=True)
class MoveFloor:
    """The floor has moved."""

    state: pb.FloorState.ValueType
    transition: pb.FloorTransition.ValueType


Effect = StartReply | StopReply | Apologise | EndTurn | MoveFloor


class TurnMachine:
    """Decides what the orchestrator does next."""

    def __init__(self, epoch: int) -> None:
        """``epoch``: the lease under which this orchestrator owns the conversation."""
        self.stamp = Stamp(epoch=epoch)
        self._hearing: Stamp | None = None
        self._answering: Stamp | None = None
        self._audible = False
        self._typed = ""

    @property
    def hearing(self) -> bool:
        """Whether the user's spoken turn is under way."""
        return self._hearing is not None

    @property
    def answering(self) -> Stamp | None:
        """The turn that is being answered."""
        return self._answering

    @property
    def phase(self) -> str:
        """In a word: idle, listening, thinking, speaking."""
        if self._answering is not None:
            return "speaking" if self._audible else "thinking"
        return "listening" if self._hearing is not None else "idle"

    def _next_turn(self) -> Stamp:
        self.stamp = Stamp(epoch=self.stamp.epoch, turn=self.stamp.turn + 1)
        return self.stamp

    def user_started(self) -> list[Effect]:
        """The user begins to speak. A reply under way stops."""
        effects = self._stop("speech")
        self._hearing = self._next_turn()
        return effects

    def user_finished(self, text: str) -> list[Effect]:
        """The user's turn is over; ``text`` is empty when nothing was understood."""
        stamp = self._hearing or self._next_turn()
        if order(stamp) < order(self.stamp):
            stamp = self._next_turn()  # Text typed meanwhile has taken a newer number.
        self._hearing = None
        question = "\n".join(part for part in (text.strip(), self._typed) if part)
        self._typed = ""
        if not question:
            return [EndTurn(stamp, pb.TURN_OUTCOME_NOTHING_HEARD)]
        return [*self._stop("speech"), *self._answer(stamp, question)]

    def typed(self, text: str, with_speech: bool) -> list[Effect]:
        """The user types; with speech it waits for the spoken turn that it belongs to."""
        text = text.strip()
        if not text:
            raise InvalidArgument("the text is empty; type something", field="text.text")
        if len(text) + len(self._typed) > MAX_TYPED_CHARS:
            raise InvalidArgument(
                f"more than {MAX_TYPED_CHARS} characters are typed; send less", field="text.text"
            )
        if with_speech:
            self._typed = f"{self._typed}\n{text}".strip()
            return []
        return [*self._stop("text"), *self._answer(self._next_turn(), text)]

    def _answer(self, stamp: Stamp, question: str) -> list[Effect]:
        self._answering = stamp
        self._audible = False
        return [StartReply(stamp, question)]

    def interrupt(self) -> list[Effect]:
        """The client wants quiet."""
        return self._stop("client")

    def _stop(self, reason: str) -> list[Effect]:
        if self._answering is None:
            return []
        stamp = self._answering
        return [
            StopReply(stamp, reason),
            EndTurn(stamp, pb.TURN_OUTCOME_INTERRUPTED),
            *self._fall_silent(),
        ]

    def _fall_silent(self) -> list[Effect]:
        self._answering = None
        if not self._audible:
            return []
        self._audible = False
        return [MoveFloor(pb.FLOOR_STATE_LISTEN, pb.FLOOR_TRANSITION_START_LISTEN)]

    def reply_audible(self, stamp: Stamp) -> list[Effect]:
        """The first audio of a reply has been sent."""
        if stamp != self._answering or self._audible:
            return []
        self._audible = True
        return [MoveFloor(pb.FLOOR_STATE_SPEAK, pb.FLOOR_TRANSITION_START_SPEAK)]

    def reply_done(self, stamp: Stamp, outcome: pb.TurnOutcome.ValueType) -> list[Effect]:
        """A reply (or an apology) has been played to its end."""
        if stamp != self._answering:
            return []
        return [EndTurn(stamp, outcome), *self._fall_silent()]

    def reply_failed(self, stamp: Stamp, error: VoiceMeshError) -> list[Effect]:
        """A stage of the reply failed: the user hears an apology instead of the rest."""
        if stamp != self._answering:
            return []
        return [Apologise(stamp, error)]

    def hearing_failed(self, error: VoiceMeshError) -> list[Effect]:
        """Recognition was lost. Only a user who was speaking hears an apology."""
        if self._hearing is None:
            return []
        stamp = self._hearing
        if order(stamp) < order(self.stamp):
            stamp = self._next_turn()
        self._hearing = None
        effects = self._stop("error")
        self._answering = stamp
        self._audible = False
        return [*effects, Apologise(stamp, error)]

    def abandon(self) -> list[Effect]:
        """The client is gone."""
        effects: list[Effect] = []
        if self._answering is not None:
            effects = [
                StopReply(self._answering, "gone"),
                EndTurn(self._answering, pb.TURN_OUTCOME_ABANDONED),
            ]
        elif self._hearing is not None:
            effects = [EndTurn(self._hearing, pb.TURN_OUTCOME_ABANDONED)]
        self._answering = self._hearing = None
        return effects
