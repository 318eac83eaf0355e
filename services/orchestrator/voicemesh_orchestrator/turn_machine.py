"""Whose turn it is: a pure state machine without time, tasks or network.

Inputs are method calls; each returns the effects that the conversation must
carry out, in order. The machine alone mints stamps.

The floor follows arXiv 2405.19487: LISTEN and SPEAK, with the transitions
S.SPEAK (the robot takes the floor), S.LISTEN (it gives the floor back), C.SPEAK
(it keeps the floor although somebody made a sound) and C.LISTEN (the user paused
and goes on).

At most one spoken turn is being heard and at most one turn is being answered;
both at once happens when text is typed while the user speaks, or when the user
speaks while the robot does.

At the first sign that a spoken turn is over its answer may be begun, unheard,
under the turn's next revision. The end of the turn with the same words makes it
the answer; anything else discards it.

Who speaks while the robot does is heard as a turn of its own, and by the policy
the reply stops, or is held until a verdict on the words says what was meant.
"""

from __future__ import annotations

from typing import TypeAlias

from voicemesh.errors import InvalidArgument, VoiceMeshError
from voicemesh.stamps import order
from voicemesh.v1 import dialog_pb2 as pb
from voicemesh.v1.common_pb2 import Stamp
from voicemesh_orchestrator.effects import (
    Apologise,
    Commit,
    Discard,
    Effect,
    EndTurn,
    HoldReply,
    MoveFloor,
    ResumeReply,
    Say,
    Speculate,
    StartReply,
    StopReply,
)
from voicemesh_orchestrator.interruption import Verdict
from voicemesh_orchestrator.wording import same_words

MAX_TYPED_CHARS = 4000

Policy: TypeAlias = pb.InterruptionPolicy.ValueType
_STOP = pb.INTERRUPTION_POLICY_STOP
_DUCK = pb.INTERRUPTION_POLICY_DUCK
_IGNORE = pb.INTERRUPTION_POLICY_IGNORE
_NO_TURN = frozenset({Verdict.BACKCHANNEL, Verdict.ECHO})
_TOO_LITTLE = frozenset({Verdict.SILENT, Verdict.UNCLEAR})


class TurnMachine:
    """Decides what the orchestrator does next."""

    def __init__(self, epoch: int, turn: int = 0, policy: Policy = _STOP) -> None:
        """``epoch``: the lease under which this orchestrator owns the conversation.

        ``turn``: the newest turn that the conversation has had already.
        ``policy``: what happens when the user speaks while the robot does.
        """
        self.stamp = Stamp(epoch=epoch, turn=turn)
        self._expected: Stamp | None = None
        self._hearing: Stamp | None = None
        self._wants_answer = True
        self._speculating: Commit | None = None
        self._tries = 0
        self._answering: Stamp | None = None
        self._audible = False
        self._typed = ""
        self._policy = policy
        self._keeps_floor = False
        self._held = False
        self._over: Stamp | None = None
        self._spoke_over = False
        self._later: Commit | None = None

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
    def speculating(self) -> Stamp | None:
        """What is being answered unheard, before the turn is over."""
        return None if self._speculating is None else self._speculating.stamp

    @property
    def over(self) -> Stamp | None:
        """The reply that the user speaks over, while it is open what that means."""
        return self._over

    @property
    def spoke_over(self) -> bool:
        """Whether the turn that is being heard began during a reply."""
        return self._spoke_over

    @property
    def held(self) -> bool:
        """Whether the reply is held."""
        return self._held

    @property
    def audible(self) -> bool:
        """Whether something of the reply has been sent to be heard."""
        return self._audible

    @property
    def phase(self) -> str:
        """In a word: idle, listening, thinking, speaking."""
        if self._answering is not None:
            return "speaking" if self._audible else "thinking"
        return "listening" if self._hearing or self._expected else "idle"

    def _next_turn(self) -> Stamp:
        self.stamp = Stamp(epoch=self.stamp.epoch, turn=self.stamp.turn + 1)
        return self.stamp

    def _next_revision(self) -> Stamp:
        stamp = Stamp()
        stamp.CopyFrom(self.stamp)
        stamp.revision += 1
        self.stamp = stamp
        return stamp

    def expect(self, wants_answer: bool) -> list[Effect]:
        """A robot is told to listen: what is said next is a turn; a reply under way stops.

        A user who is speaking already is that turn. ``wants_answer``: whether it
        is answered, or only heard.
        """
        effects: list[Effect] = []
        if self._hearing is None:
            effects = [*self._expect_nobody(pb.TURN_OUTCOME_INTERRUPTED), *self._stop("command")]
            self._expected = self._next_turn()
        elif self._over is not None:
            self._over = None
            effects = self._stop("command")
        self._wants_answer = wants_answer
        return effects if wants_answer else [*effects, *self._discard("unwanted")]

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
        """The user begins to speak. A reply under way stops, is held or goes on, by the policy."""
        effects = self._discard("resumed")
        self._over, self._spoke_over = None, self._answering is not None
        if self._answering is not None:
            if self._reply_policy == _STOP:
                effects += self._stop("speech")
            else:
                self._over = self._answering
                effects += self._hold()
                if self._audible and self._reply_policy == _IGNORE:
                    effects.append(_keep_floor("policy"))
        self._hearing = self._take_expected()
        self._tries = 0
        return effects

    def speech_began(self) -> list[Effect]:
        """The robot's own detector hears somebody, before recognition does."""
        return self._hold() if self._audible and self._reply_policy != _STOP else []

    def user_said(self, verdict: Verdict, fell_silent: bool) -> list[Effect]:
        """What the user has said so far over the reply; ``fell_silent``: and paused after it."""
        if self._over is None or self._over != self._answering:
            return []
        if verdict is Verdict.HARD_STOP:
            return self._stop("stop")
        if verdict is Verdict.INTERRUPTION and self._reply_policy != _IGNORE:
            return self._stop("speech")
        return self._resume(verdict.value) if fell_silent and verdict in _NO_TURN else []

    def nothing_followed(self) -> list[Effect]:
        """The reply has been held for long, and nobody has said anything that stops it."""
        return self._resume("timeout")

    @property
    def _reply_policy(self) -> Policy:
        return _IGNORE if self._keeps_floor else self._policy

    def _hold(self) -> list[Effect]:
        if self._answering is None or self._held or self._reply_policy == _IGNORE:
            return []
        self._held = True
        return [HoldReply(self._answering, duck=self._reply_policy == _DUCK)]

    def _resume(self, reason: str) -> list[Effect]:
        if self._answering is None or not self._held:
            return []
        self._held = False
        resumed = ResumeReply(self._answering, reason)
        return [resumed, _keep_floor(reason)] if self._audible else [resumed]

    def eager_end(self, text: str, max_tries: int) -> list[Effect]:
        """The user's turn may be over: its answer may be begun, at most ``max_tries`` times."""
        discarded = self._discard("resumed")
        question = self._question(text)
        hearing = self._hearing
        # One reply at a time; and text typed meanwhile takes a newer number.
        if hearing is None or self._answering is not None or hearing.turn < self.stamp.turn:
            return discarded
        if not (question and self._wants_answer) or self._tries >= max_tries:
            return discarded
        self._tries += 1
        self._speculating = Commit(self._next_revision(), question)
        return [*discarded, Speculate(self._speculating.stamp, question)]

    def user_resumed(self) -> list[Effect]:
        """The user goes on speaking after an eager end."""
        if self._over is not None and self._over == self._answering:
            return self._hold()
        effects = self._discard("resumed")
        if self._hearing is not None and not self._audible:
            effects.append(
                MoveFloor(pb.FLOOR_STATE_LISTEN, pb.FLOOR_TRANSITION_CONTINUE_LISTEN, "resumed")
            )
        return effects

    def speculation_failed(self, stamp: Stamp) -> list[Effect]:
        """What was begun unheard has failed: the end of the turn begins it again."""
        return self._discard("failed") if stamp == self.speculating else []

    def _discard(self, reason: str) -> list[Effect]:
        begun, self._speculating = self._speculating, None
        return [] if begun is None else [Discard(begun.stamp, reason)]

    def _question(self, text: str) -> str:
        return "\n".join(part for part in (text.strip(), self._typed) if part)

    def user_finished(
        self,
        text: str,
        verdict: Verdict = Verdict.INTERRUPTION,
        only_stop: bool = False,
        keeps_floor: bool = False,
    ) -> list[Effect]:
        """The user's turn is over; ``text`` is empty when nothing was understood.

        ``verdict`` and ``only_stop`` matter where it was said over a reply.
        ``keeps_floor``: the answer is not to be interrupted but by a hard stop,
        because the robot has taken the floor.
        """
        begun, wants_answer = self._speculating, self._wants_answer
        over, self._over = self._over, None
        self._wants_answer = True
        if not wants_answer:
            heard = bool(text.strip())
            outcome = pb.TURN_OUTCOME_COMPLETED if heard else pb.TURN_OUTCOME_NOTHING_HEARD
            ended = EndTurn(self._final_stamp(), outcome)
            return [*self._discard("unwanted"), ended, *self._resume("unwanted")]
        if over is not None:
            replying = over == self._answering
            if verdict in _NO_TURN or (replying and verdict in _TOO_LITTLE):
                ended = EndTurn(self._final_stamp(), pb.TURN_OUTCOME_BACKCHANNEL)
                reason = "noise" if verdict in _TOO_LITTLE else verdict.value
                return [*self._discard("unwanted"), ended, *self._resume(reason)]
        if self._spoke_over and only_stop:
            effects = [*self._discard("unwanted"), *self._stop("stop")]
            return [*effects, EndTurn(self._final_stamp(), pb.TURN_OUTCOME_COMPLETED)]
        question, self._typed = self._question(text), ""
        if begun is not None and same_words(begun.question, question):
            self._hearing = self._speculating = None
            self._answering, self._audible = begun.stamp, False
            self._keeps_floor = keeps_floor
            return [Commit(begun.stamp, question)]
        effects = self._discard("changed")
        stamp = self._final_stamp()
        if not question:
            return [*effects, EndTurn(stamp, pb.TURN_OUTCOME_NOTHING_HEARD)]
        goes_on = over is not None and over == self._answering and self._reply_policy == _IGNORE
        if goes_on and verdict is not Verdict.HARD_STOP:
            return [*effects, *self._answer_later(stamp, question)]
        effects += [*self._stop("speech"), *self._answer(stamp, question)]
        self._keeps_floor = keeps_floor
        return effects

    def _answer_later(self, stamp: Stamp, question: str) -> list[Effect]:
        """Keep a question until the reply is over; a newer one takes its place."""
        effects = self._forget_later()
        self._later = Commit(stamp, question)
        return effects

    def _forget_later(
        self, outcome: pb.TurnOutcome.ValueType = pb.TURN_OUTCOME_INTERRUPTED
    ) -> list[Effect]:
        later, self._later = self._later, None
        return [] if later is None else [EndTurn(later.stamp, outcome)]

    def _final_stamp(self) -> Stamp:
        """The stamp under which the spoken turn goes on: never older than what was minted."""
        stamp, self._hearing = self._hearing or self._take_expected(), None
        if stamp.turn < self.stamp.turn:
            return self._next_turn()  # Text typed meanwhile has taken a newer number.
        # What was begun under a revision is void: the next one names it so.
        return self._next_revision() if order(stamp) < order(self.stamp) else stamp

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
            *self._discard("text"),
            *self._stop("text"),
            *self._answer(self._next_turn(), text),
        ]

    def _answer(self, stamp: Stamp, question: str) -> list[Effect]:
        self._answering = stamp
        self._audible = False
        return [StartReply(stamp, question)]

    def say(self, text: str) -> list[Effect]:
        """The robot speaks by itself, unless somebody speaks or is expected to."""
        if self.phase != "idle":
            return []
        self._answering, self._audible = self._next_turn(), False
        return [Say(self._answering, text)]

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
            *self._fall_silent(reason),
            *self._forget_later(outcome),
        ]

    def _fall_silent(self, reason: str) -> list[Effect]:
        if self._over == self._answering and reason != "done":
            self._over = None  # Whatever is said now is a turn.
        self._answering = None
        self._held = self._keeps_floor = False
        if not self._audible:
            return []
        self._audible = False
        return [MoveFloor(pb.FLOOR_STATE_LISTEN, pb.FLOOR_TRANSITION_START_LISTEN, reason)]

    def reply_audible(self, stamp: Stamp) -> list[Effect]:
        """The first audio of a reply has been sent."""
        if stamp != self._answering or self._audible:
            return []
        self._audible = True
        return [MoveFloor(pb.FLOOR_STATE_SPEAK, pb.FLOOR_TRANSITION_START_SPEAK, "reply")]

    def reply_done(self, stamp: Stamp, outcome: pb.TurnOutcome.ValueType) -> list[Effect]:
        """A reply (or an apology) has been played to its end."""
        if stamp != self._answering:
            return []
        effects = [EndTurn(stamp, outcome), *self._fall_silent("done")]
        later, self._later = self._later, None
        if later is not None:
            effects += self._answer(later.stamp, later.question)
        return effects

    def reply_failed(self, stamp: Stamp, error: VoiceMeshError) -> list[Effect]:
        """A stage of the reply failed: the user hears an apology instead of the rest."""
        if stamp != self._answering:
            return []
        return [Apologise(stamp, error)]

    def hearing_failed(self, error: VoiceMeshError) -> list[Effect]:
        """Recognition was lost. Only a user who spoke, or was to speak, hears an apology."""
        if self._hearing is None and self._expected is None:
            return []
        effects = self._discard("failed")
        stamp = self._final_stamp()
        self._over = None
        self._wants_answer = True
        effects += self._stop("error")
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
            return self._discard("unwanted")
        return []

    def abandon(
        self, outcome: pb.TurnOutcome.ValueType = pb.TURN_OUTCOME_ABANDONED
    ) -> list[Effect]:
        """The client is gone."""
        effects = [*self._expect_nobody(outcome), *self._discard("gone")]
        if self._answering is not None:
            effects += [
                StopReply(self._answering, "gone"),
                EndTurn(self._answering, outcome),
            ]
        if self._hearing is not None and self._hearing != self._answering:
            effects += [EndTurn(self._hearing, outcome)]
        effects += self._forget_later(outcome)
        self._answering = self._hearing = self._over = None
        self._held = self._keeps_floor = False
        self._wants_answer = True
        return effects


def _keep_floor(reason: str) -> MoveFloor:
    return MoveFloor(pb.FLOOR_STATE_SPEAK, pb.FLOOR_TRANSITION_CONTINUE_SPEAK, reason)
