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

from dataclasses import replace

from voicemesh.errors import VoiceMeshError
from voicemesh.stamps import order
from voicemesh.v1 import dialog_pb2 as pb
from voicemesh.v1.common_pb2 import Stamp
from voicemesh_orchestrator.turn.effects import (
    Apologise,
    Commit,
    Effect,
    EndTurn,
    MoveFloor,
    OverlapDecided,
    Speak,
    StartReply,
)
from voicemesh_orchestrator.turn.phase import FloorMove, Phase
from voicemesh_orchestrator.turn.policy import IGNORE, STOP, UNSPECIFIED, Outcome, Policy
from voicemesh_orchestrator.turn.reply_state import ReplyState
from voicemesh_orchestrator.turn.speculation import Speculation
from voicemesh_orchestrator.turn.stamp_mint import StampMint
from voicemesh_orchestrator.turn.user_turn import USUAL, UserTurn, Wanted
from voicemesh_orchestrator.turn.verdict import Verdict

_NO_TURN = frozenset({Verdict.BACKCHANNEL, Verdict.ECHO})
_TOO_LITTLE = frozenset({Verdict.SILENT, Verdict.UNCLEAR})


class TurnMachine:
    """Decides what the orchestrator does next."""

    def __init__(self, epoch: int, turn: int = 0, policy: Policy = STOP) -> None:
        """``epoch``: the lease under which this orchestrator owns the conversation.

        ``turn``: the newest turn that the conversation has had already.
        ``policy``: what happens when the user speaks while the robot does.
        """
        self._mint = StampMint(epoch, turn)
        self._expected: Stamp | None = None
        self._user: UserTurn | None = None
        self._wanted = USUAL
        self._speculation = Speculation(self._mint)
        self._reply = ReplyState(policy)
        self._typed = ""
        self._later: Commit | None = None

    @property
    def stamp(self) -> Stamp:
        """The newest stamp."""
        return self._mint.newest

    @property
    def expected(self) -> Stamp | None:
        """The spoken turn that a robot was told to listen for; nobody has spoken yet."""
        return self._expected

    @property
    def hearing(self) -> Stamp | None:
        """The user's spoken turn that is under way."""
        return None if self._user is None else self._user.stamp

    @property
    def answering(self) -> Stamp | None:
        """The turn that is being answered."""
        return self._reply.stamp

    @property
    def speculating(self) -> Stamp | None:
        """What is being answered unheard, before the turn is over."""
        return self._speculation.stamp

    @property
    def over(self) -> Stamp | None:
        """The reply that the user speaks over, while it is open what that means.

        Also once it is over or stopped: a nod to it is no question for that.
        """
        return None if self._user is None else self._user.over

    @property
    def spoke_over(self) -> bool:
        """Whether the turn that is being heard began during a reply."""
        return self._user is not None and self._user.spoke_over

    @property
    def held(self) -> bool:
        """Whether the reply is held."""
        return self._reply.held

    @property
    def audible(self) -> bool:
        """Whether something of the reply has been sent to be heard."""
        return self._reply.audible

    @property
    def phase(self) -> Phase:
        """What the conversation is doing."""
        if self._reply.stamp is not None:
            return Phase.SPEAK if self._reply.audible else Phase.THINK
        return Phase.LISTEN if self._user or self._expected else Phase.IDLE

    def expect(self, wants_answer: bool, policy: Policy = UNSPECIFIED) -> list[Effect]:
        """A robot is told to listen: what is said next is a turn; a reply under way stops.

        A user who is speaking already is that turn. ``wants_answer``: whether it
        is answered, or only heard. ``policy``: of its answer.
        """
        effects: list[Effect] = []
        if self._user is None:
            effects = [*self._expect_nobody(pb.TURN_OUTCOME_INTERRUPTED), *self._stop("command")]
            self._expected = self._mint.turn()
        elif self._user.over is not None:
            self._user.over = None
            effects = self._stop("command")
        self._wanted = Wanted(wants_answer, policy)
        return effects if wants_answer else [*effects, *self._speculation.discard("unwanted")]

    def nobody_spoke(self, outcome: Outcome = pb.TURN_OUTCOME_NOTHING_HEARD) -> list[Effect]:
        """Whoever was expected to speak did not, or could not."""
        return self._expect_nobody(outcome)

    def _expect_nobody(self, outcome: Outcome) -> list[Effect]:
        if self._expected is None:
            return []
        stamp, self._expected = self._expected, None
        self._wanted = USUAL
        return [EndTurn(stamp, outcome)]

    def _take_expected(self) -> Stamp:
        """The number of a spoken turn: the expected one, or a new one."""
        stamp, self._expected = self._expected, None
        return stamp or self._mint.turn()

    def user_started(self) -> list[Effect]:
        """The user begins to speak. A reply under way stops, is held or goes on, by the policy."""
        effects = self._speculation.discard("resumed")
        over = self._reply.stamp
        spoke_over = over is not None
        if spoke_over and self._reply.policy == STOP:
            over = None
            effects += self._stop("speech")
        elif spoke_over:
            effects += self._reply.hold()
            if self._reply.policy == IGNORE:
                effects += self._reply.keep_floor("policy")
        self._user = UserTurn(self._take_expected(), spoke_over, over)
        self._speculation.turn_begins()
        return effects

    def speech_began(self) -> list[Effect]:
        """The robot's own detector hears somebody, before recognition does."""
        return self._reply.hold() if self._reply.audible and self._reply.policy != STOP else []

    def user_said(self, verdict: Verdict, fell_silent: bool) -> list[Effect]:
        """What the user has said so far over the reply; ``fell_silent``: and paused after it."""
        if self._user is None or not self._replies_on:
            return []
        hard = verdict is Verdict.HARD_STOP
        if hard or (verdict is Verdict.INTERRUPTION and self._reply.policy != IGNORE):
            self._user.over = None  # Whatever is said now is a turn.
            return [OverlapDecided(verdict), *self._stop("stop" if hard else "speech")]
        return self._reply.resume(verdict.value) if fell_silent and verdict in _NO_TURN else []

    def nothing_followed(self) -> list[Effect]:
        """The reply has been held for long, and nobody has said anything that stops it."""
        return self._reply.resume("timeout")

    @property
    def _replies_on(self) -> bool:
        """Whether the reply that is spoken over goes on as yet."""
        return self.over is not None and self.over == self._reply.stamp

    def eager_end(self, text: str, max_tries: int) -> list[Effect]:
        """The user's turn may be over: its answer may be begun, at most ``max_tries`` times."""
        discarded = self._speculation.discard("resumed")
        question = self._question(text)
        hearing = self.hearing
        # One reply at a time; and text typed meanwhile takes a newer number.
        if hearing is None or self._reply.stamp is not None or hearing.turn < self.stamp.turn:
            return discarded
        if not (question and self._wanted.answer):
            return discarded
        return [*discarded, *self._speculation.begin(question, max_tries)]

    def user_resumed(self) -> list[Effect]:
        """The user goes on speaking after an eager end."""
        if self._replies_on:
            return self._reply.hold()
        effects = self._speculation.discard("resumed")
        if self._user is not None and not self._reply.audible:
            effects.append(MoveFloor(FloorMove.CONTINUE_LISTEN, "resumed"))
        return effects

    def speculation_failed(self, stamp: Stamp) -> list[Effect]:
        """What was begun unheard has failed: the end of the turn begins it again."""
        return self._speculation.discard("failed") if stamp == self.speculating else []

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
        decided: list[Effect] = [] if self.over is None else [OverlapDecided(verdict)]
        return [*decided, *self._finished(text, verdict, only_stop, keeps_floor)]

    def _finished(
        self, text: str, verdict: Verdict, only_stop: bool, keeps_floor: bool
    ) -> list[Effect]:
        wanted, self._wanted = self._wanted, USUAL
        policy = IGNORE if keeps_floor else wanted.policy
        over, replies_on, spoke_over = self.over, self._replies_on, self.spoke_over
        if not wanted.answer:
            heard = bool(text.strip())
            outcome = pb.TURN_OUTCOME_COMPLETED if heard else pb.TURN_OUTCOME_NOTHING_HEARD
            return [*self._no_answer(outcome), *self._reply.resume("unwanted")]
        if over is not None and (verdict in _NO_TURN or (replies_on and verdict in _TOO_LITTLE)):
            reason = "noise" if verdict in _TOO_LITTLE else verdict.value
            return [
                *self._no_answer(pb.TURN_OUTCOME_BACKCHANNEL),
                *self._reply.resume(reason),
            ]
        if spoke_over and only_stop:
            effects = [*self._speculation.discard("unwanted"), *self._stop("stop")]
            return [*effects, EndTurn(self._final_stamp(), pb.TURN_OUTCOME_COMPLETED)]
        question, self._typed = self._question(text), ""
        begun = self._speculation.take(question)
        if begun is not None:
            self._user = None
            self._reply.begin(begun.stamp, policy)
            return [begun]
        effects = self._speculation.discard("changed")
        stamp = self._final_stamp()
        if not question:
            return [*effects, EndTurn(stamp, pb.TURN_OUTCOME_NOTHING_HEARD)]
        ignored = replies_on and self._reply.policy == IGNORE
        if ignored and verdict is not Verdict.HARD_STOP:
            return [*effects, *self._answer_later(stamp, question)]
        return [*effects, *self._stop("speech"), *self._answer(stamp, question, policy)]

    def _no_answer(self, outcome: Outcome) -> list[Effect]:
        """The spoken turn ends, and whatever was begun for it was for nothing."""
        return [*self._speculation.discard("unwanted"), EndTurn(self._final_stamp(), outcome)]

    def _answer_later(self, stamp: Stamp, question: str) -> list[Effect]:
        """Keep a question until the reply is over; a newer one takes its place."""
        effects = self._forget_later()
        self._later = Commit(stamp, question)
        return effects

    def _forget_later(self, outcome: Outcome = pb.TURN_OUTCOME_INTERRUPTED) -> list[Effect]:
        later, self._later = self._later, None
        return [] if later is None else [EndTurn(later.stamp, outcome)]

    def _final_stamp(self) -> Stamp:
        """The stamp under which the spoken turn goes on: never older than what was minted."""
        stamp, self._user = self.hearing or self._take_expected(), None
        if stamp.turn < self.stamp.turn:
            return self._mint.turn()  # Text typed meanwhile has taken a newer number.
        # What was begun under a revision is void: the next one names it so.
        return self._mint.revision() if order(stamp) < order(self.stamp) else stamp

    @property
    def typed_chars(self) -> int:
        """How much typed text waits for the spoken turn that it belongs to."""
        return len(self._typed)

    def typed(self, text: str, with_speech: bool, policy: Policy = UNSPECIFIED) -> list[Effect]:
        """The user types; with speech it waits for the spoken turn that it belongs to.

        ``text``: not empty. ``policy``: of the answer.
        """
        text = text.strip()
        if with_speech:
            self._typed = f"{self._typed}\n{text}".strip()
            return []
        return [
            *self._expect_nobody(pb.TURN_OUTCOME_INTERRUPTED),
            *self._speculation.discard("text"),
            *self._stop("text"),
            *self._answer(self._mint.turn(), text, policy),
        ]

    def _answer(self, stamp: Stamp, question: str, policy: Policy = UNSPECIFIED) -> list[Effect]:
        self._reply.begin(stamp, policy)
        return [StartReply(stamp, question)]

    def speak(
        self, text: str, policy: Policy = UNSPECIFIED, commanded: bool = False
    ) -> list[Effect]:
        """The robot speaks by itself, unless somebody speaks or is expected to.

        ``policy``: of what it says. ``commanded``: a reply under way stops for it, and
        nobody is expected any more; only a user who speaks is not talked over.
        """
        effects: list[Effect] = []
        if commanded and self._user is None:
            effects = [*self._expect_nobody(pb.TURN_OUTCOME_INTERRUPTED), *self._stop("command")]
        if self.phase is not Phase.IDLE:
            return []
        stamp = self._mint.turn()
        self._reply.begin(stamp, policy)
        return [*effects, Speak(stamp, text)]

    def interrupt(self) -> list[Effect]:
        """The client wants quiet."""
        return self._stop("client")

    def _stop(self, reason: str, outcome: Outcome = pb.TURN_OUTCOME_INTERRUPTED) -> list[Effect]:
        stopped = self._reply.stop(reason, outcome)
        return [*stopped, *self._forget_later(outcome)] if stopped else []

    def reply_audible(self, stamp: Stamp) -> list[Effect]:
        """The first audio of a reply has been sent."""
        return self._reply.becomes_audible() if stamp == self._reply.stamp else []

    def reply_done(self, stamp: Stamp, outcome: Outcome) -> list[Effect]:
        """A reply (or an apology) has been played to its end."""
        if stamp != self._reply.stamp:
            return []
        effects = self._reply.end("done", outcome)
        later, self._later = self._later, None
        if later is not None:
            effects += self._answer(later.stamp, later.question)
        return effects

    def reply_failed(self, stamp: Stamp, error: VoiceMeshError) -> list[Effect]:
        """A stage of the reply failed: the user hears an apology instead of the rest."""
        if stamp != self._reply.stamp:
            return []
        return [Apologise(stamp, error)]

    def recognition_failed(self, error: VoiceMeshError, spoken: bool = False) -> list[Effect]:
        """Recognition was lost. Only a user who spoke, or was to speak, hears an apology.

        ``spoken``: somebody has spoken whom recognition has not noticed; that is a turn,
        unless a reply plays, which the sound may be.
        """
        unheard = spoken and self.phase is Phase.IDLE
        if self._user is None and self._expected is None and not unheard:
            return []
        effects = self._speculation.discard("failed")
        stamp = self._final_stamp()
        self._wanted = USUAL
        effects += self._stop("error")
        self._reply.begin(stamp)
        return [*effects, Apologise(stamp, error)]

    def give_up(self, stamp: Stamp) -> list[Effect]:
        """Whoever asked for the turn of ``stamp`` is gone: nobody wants an answer."""
        if stamp == self._reply.stamp:
            return self._stop("gone", pb.TURN_OUTCOME_ABANDONED)
        if stamp == self._expected:
            return self._expect_nobody(pb.TURN_OUTCOME_ABANDONED)
        if stamp == self.hearing:
            self._wanted = replace(self._wanted, answer=False)
            return self._speculation.discard("unwanted")
        if self._later is not None and stamp == self._later.stamp:
            return self._forget_later(pb.TURN_OUTCOME_ABANDONED)
        return []

    def abandon(self, outcome: Outcome = pb.TURN_OUTCOME_ABANDONED) -> list[Effect]:
        """The client is gone."""
        effects = [*self._expect_nobody(outcome), *self._speculation.discard("gone")]
        effects += self._stop("gone", outcome)
        if self._user is not None:
            effects += [EndTurn(self._user.stamp, outcome)]
        self._user = None
        self._wanted = USUAL
        return effects
