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

    def __init__(self, epoch: int, turn: int = 0) -> None:
        """``epoch``: the lease under which this orchestrator owns the conversation.

        ``turn``: the newest turn that the conversation has had already.
        """
        self.stamp = Stamp(epoch=epoch, turn=turn)
        self._expected: Stamp | None = None
        self._hearing: Stamp | None = None
        self._wants_answer = True
        self._answering: Stamp | None = None
        self._audible = False
        self._typed = ""

    @property
    def expected(self) -> Stamp | None:
        """The spoken turn that a robot was told to listen for; nobody has spoken yet."""
        return self._expected

    @property
    def hearing(self) -> Stamp | None:
        """The user's spoken turn that is under way."""
        return self._hearing

    @property
    def answering(self) -> Stamp | None:
        """The turn that is being answered."""
        return self._answering

    @property
    def phase(self) -> str:
        """In a word: idle, listening, thinking, speaking."""
        if self._answering is not None:
            return "speaking" if self._audible else "thinking"
        return "listening" if self._hearing or self._expected else "idle"

    def _next_turn(self) -> Stamp:
        self.stamp = Stamp(epoch=self.stamp.epoch, turn=self.stamp.turn + 1)
        return self.stamp

    def expect(self, wants_answer: bool) -> list[Effect]:
        """A robot is told to listen: what is said next is a turn; a reply under way stops.

        A user who is speaking already is that turn. ``wants_answer``: whether it
        is answered, or only heard.
        """
        effects: list[Effect] = []
        if self._hearing is None:
            effects = [*self._expect_nobody(pb.TURN_OUTCOME_INTERRUPTED), *self._stop("command")]
            self._expected = self._next_turn()
        self._wants_answer = wants_answer
        return effects

    def nobody_spoke(
        self, outcome: pb.TurnOutcome.ValueType = pb.TURN_OUTCOME_NOTHING_HEARD
    ) -> list[Effect]:
        """Whoever was expected to speak did not, or could not."""
        return self._expect_nobody(outcome)

    def _expect_nobody(self, outcome: pb.TurnOutcome.ValueType) -> list[Effect]:
        if self._expected is None:
            return []
        stamp, self._expected = self._expected, None
        self._wants_answer = True
        return [EndTurn(stamp, outcome)]

    def _take_expected(self) -> Stamp:
        """The number of a spoken turn: the expected one, or a new one."""
        stamp, self._expected = self._expected, None
        return stamp or self._next_turn()

    def user_started(self) -> list[Effect]:
        """The user begins to speak. A reply under way stops."""
        effects = self._stop("speech")
        self._hearing = self._take_expected()
        return effects

    def user_finished(self, text: str) -> list[Effect]:
        """The user's turn is over; ``text`` is empty when nothing was understood."""
        stamp = self._hearing or self._take_expected()
        if order(stamp) < order(self.stamp):
            stamp = self._next_turn()  # Text typed meanwhile has taken a newer number.
        self._hearing = None
        wants_answer, self._wants_answer = self._wants_answer, True
        if not wants_answer:
            heard = bool(text.strip())
            outcome = pb.TURN_OUTCOME_COMPLETED if heard else pb.TURN_OUTCOME_NOTHING_HEARD
            return [EndTurn(stamp, outcome)]
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
        return [
            *self._expect_nobody(pb.TURN_OUTCOME_INTERRUPTED),
            *self._stop("text"),
            *self._answer(self._next_turn(), text),
        ]

    def _answer(self, stamp: Stamp, question: str) -> list[Effect]:
        self._answering = stamp
        self._audible = False
        return [StartReply(stamp, question)]

    def interrupt(self) -> list[Effect]:
        """The client wants quiet."""
        return self._stop("client")

    def _stop(
        self, reason: str, outcome: pb.TurnOutcome.ValueType = pb.TURN_OUTCOME_INTERRUPTED
    ) -> list[Effect]:
        if self._answering is None:
            return []
        stamp = self._answering
        return [
            StopReply(stamp, reason),
            EndTurn(stamp, outcome),
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
        """Recognition was lost. Only a user who spoke, or was to speak, hears an apology."""
        if self._hearing is None and self._expected is None:
            return []
        stamp = self._hearing or self._take_expected()
        if order(stamp) < order(self.stamp):
            stamp = self._next_turn()
        self._hearing = None
        self._wants_answer = True
        effects = self._stop("error")
        self._answering = stamp
        self._audible = False
        return [*effects, Apologise(stamp, error)]

    def give_up(self, stamp: Stamp) -> list[Effect]:
        """Whoever asked for the turn of ``stamp`` is gone: nobody wants an answer."""
        if stamp == self._answering:
            return self._stop("gone", pb.TURN_OUTCOME_ABANDONED)
        if stamp == self._expected:
            return self._expect_nobody(pb.TURN_OUTCOME_ABANDONED)
        if stamp == self._hearing:
            self._wants_answer = False
        return []

    def abandon(
        self, outcome: pb.TurnOutcome.ValueType = pb.TURN_OUTCOME_ABANDONED
    ) -> list[Effect]:
        """The client is gone."""
        effects = self._expect_nobody(outcome)
        if self._answering is not None:
            effects += [
                StopReply(self._answering, "gone"),
                EndTurn(self._answering, outcome),
            ]
        elif self._hearing is not None:
            effects += [EndTurn(self._hearing, outcome)]
        self._answering = self._hearing = None
        self._wants_answer = True
        return effects
