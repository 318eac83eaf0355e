"""Carries out what the turn machine decides, in order, and passes on what replies say."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from voicemesh.errors import VoiceMeshError
from voicemesh.v1 import common_pb2, dialog_pb2
from voicemesh_orchestrator import metrics
from voicemesh_orchestrator.barge_in.handler import BargeIn
from voicemesh_orchestrator.conversation.idle_timer import IdleTimer
from voicemesh_orchestrator.history import Exchange, Memory
from voicemesh_orchestrator.plan import policy_of
from voicemesh_orchestrator.reply.runner import ReplyRunner
from voicemesh_orchestrator.reply.turn_record import TurnRecords, count_error
from voicemesh_orchestrator.settings import OrchestratorSettings
from voicemesh_orchestrator.turn.effects import (
    Apologise,
    Commit,
    Discard,
    Effect,
    EndTurn,
    HoldReply,
    MoveFloor,
    ResumeReply,
    Speak,
    Speculate,
    StartReply,
    StopReply,
)
from voicemesh_orchestrator.turn.machine import TurnMachine
from voicemesh_orchestrator.turn.policy import UNSPECIFIED, Policy
from voicemesh_orchestrator.upstream.synthesis import Synthesis

if TYPE_CHECKING:  # The stubs' asynchronous types exist for type checkers only.
    from voicemesh.v1.llm_pb2_grpc import LanguageModelServiceAsyncStub

# What the robot is about to say counts as said: who answers a question need not
# wait for its last word.
_ABOUT_TO_BE_HEARD_S = 1.0
# Older words of the robot are no echo: who repeats them asks about them.
_ECHO_MEMORY_S = 5.0

Event = dialog_pb2.ConverseResponse


class EffectHandler:
    """The turn machine of a conversation and its hands: replies, timers, news, history."""

    def __init__(
        self,
        memory: Memory,
        config: dialog_pb2.ConverseConfig,
        settings: OrchestratorSettings,
        llm: LanguageModelServiceAsyncStub,
        synthesis: Synthesis | None,
        send: Callable[[Event], None],
        turn_over: Callable[[], None],
    ) -> None:
        """``send`` tells the client and never waits; ``turn_over``: a turn has ended."""
        self.machine = TurnMachine(
            memory.stamp.epoch, memory.stamp.turn, policy_of(config, settings.floor)
        )
        self.turns = TurnRecords()
        self.send = send
        self.answering = ReplyRunner(memory.conversation_id, config, settings, llm, synthesis, self)
        rate_hertz = config.input_format.sample_rate_hertz
        self.overhearing = BargeIn(
            settings.floor, self.machine, self.do, self._said_lately, rate_hertz
        )
        self.idleness = IdleTimer(settings.proactive, self.say, self._fall_asleep)
        self._memory = memory
        self._turn_over = turn_over
        self._phase = self.machine.phase
        self._phase_since_s = time.monotonic()

    @property
    def stamp(self) -> common_pb2.Stamp:
        """The newest stamp."""
        return self.machine.stamp

    @property
    def phase_ms(self) -> int:
        """For how long the conversation has been in its phase, in milliseconds."""
        return int((time.monotonic() - self._phase_since_s) * 1000)

    def do(self, effects: Sequence[Effect]) -> None:
        """Carry ``effects`` out."""
        for effect in effects:
            self._carry_out(effect)
        self._memory.stamp = self.stamp
        if self._phase != self.machine.phase:
            self._phase, self._phase_since_s = self.machine.phase, time.monotonic()

    def _carry_out(self, effect: Effect) -> None:
        answering, turn = self.answering, self.turns.of
        match effect:
            case Speculate(stamp, question):
                answering.speculate(stamp, turn(stamp), self._memory.history, question)
            case Discard(stamp, reason):
                answering.discard(stamp, reason)
            case Commit(stamp, question):
                self._reply_starts(stamp, question)
                answering.commit(stamp, turn(stamp))
            case StartReply(stamp, question):
                self._reply_starts(stamp, question)
                answering.start(stamp, turn(stamp), self._memory.history)
            case Speak(stamp, text):
                self._reply_starts(stamp, "")
                answering.say(stamp, turn(stamp), text)
            case HoldReply(stamp, duck):
                answering.hold(stamp, turn(stamp), duck)
                self.overhearing.wait()
            case ResumeReply(stamp, reason):
                self.overhearing.cancel()
                answering.resume(stamp, turn(stamp), reason)
            case StopReply(stamp, reason):
                self.overhearing.cancel()
                metrics.INTERRUPTIONS.labels(reason).inc()
                answering.stop(stamp, reason)
                interrupted = dialog_pb2.ReplyInterrupted(reason=reason)
                self.send(Event(stamp=stamp, reply_interrupted=interrupted))
            case Apologise(stamp, error):
                self.failed(stamp, error)
                answering.apologise(stamp, turn(stamp))
            case EndTurn(stamp, outcome):
                self._end_turn(stamp, outcome)
            case MoveFloor(state, transition, reason):
                floor = dialog_pb2.FloorChange(state=state, transition=transition, reason=reason)
                metrics.count_floor_move(floor)
                self.send(Event(stamp=self.stamp, floor=floor))

    def failed(self, stamp: common_pb2.Stamp, error: VoiceMeshError) -> None:
        """Count and tell why the turn of ``stamp`` fails."""
        count_error(error)
        self.turns.of(stamp).error = error
        self.send(Event(stamp=stamp, error=error.detail()))

    def _reply_starts(self, stamp: common_pb2.Stamp, question: str) -> None:
        self.turns.of(stamp).question = question
        if question:
            self.idleness.close()
        started = dialog_pb2.ReplyStarted(question=question)
        self.send(Event(stamp=stamp, reply_started=started))

    def _end_turn(self, stamp: common_pb2.Stamp, outcome: dialog_pb2.TurnOutcome.ValueType) -> None:
        turn, history = self.turns.take(stamp), self._memory.history
        self._turn_over()
        completed = outcome == dialog_pb2.TURN_OUTCOME_COMPLETED
        heard = turn.heard_text(completed)
        if turn.reply is not None and completed and turn.reply.history_reset:
            history.clear()
        elif turn.reply is not None:
            history.add(Exchange(turn.question, heard, not completed))
        self.send(Event(stamp=stamp, turn_ended=turn.ended(outcome, heard)))
        if turn.reply is not None and not turn.question:
            self.idleness.silent()
        else:
            self.idleness.spoken()
        turn.measure(self._memory.conversation_id, stamp, outcome)

    def say(self, text: str, policy: Policy = UNSPECIFIED, commanded: bool = False) -> bool:
        """Have the robot say ``text`` by itself; whether the floor is free for it."""
        effects = self.machine.say(text, policy, commanded)
        self.do(effects)
        return bool(effects)

    def _fall_asleep(self, idle_s: float) -> None:
        if self.machine.phase != "idle":
            self.idleness.spoken()  # The robot says something by itself, or waits for somebody.
            return
        asleep = dialog_pb2.FallAsleep(idle_ms=int(idle_s * 1000))
        self.send(Event(stamp=self.stamp, fall_asleep=asleep))

    def _said_lately(self, stamp: common_pb2.Stamp) -> str:
        reply = self.turns.of(stamp).reply
        if reply is None:
            return ""
        before = reply.heard_text(-_ECHO_MEMORY_S)
        return reply.heard_text(_ABOUT_TO_BE_HEARD_S).removeprefix(before).strip()

    # What a reply says (see Asker).

    def tell(self, stamp: common_pb2.Stamp, event: Event) -> None:
        """Send something of a reply, unless that reply is no longer wanted."""
        if stamp == self.machine.answering:
            event.stamp.CopyFrom(stamp)
            self.send(event)

    def reply_audible(self, stamp: common_pb2.Stamp) -> None:
        """The first audio of the reply goes to the client."""
        self.do(self.machine.reply_audible(stamp))

    def reply_done(
        self, stamp: common_pb2.Stamp, outcome: dialog_pb2.TurnOutcome.ValueType
    ) -> None:
        """The reply (or the apology) has been played to its end."""
        self.do(self.machine.reply_done(stamp, outcome))

    def reply_failed(self, stamp: common_pb2.Stamp, error: VoiceMeshError) -> None:
        """A stage of the reply has failed."""
        self.do(self.machine.reply_failed(stamp, error))

    def speculation_failed(self, stamp: common_pb2.Stamp) -> None:
        """What was begun before the turn is over has failed."""
        self.do(self.machine.speculation_failed(stamp))

    async def close(self) -> None:
        """The client is gone: end what is under way."""
        self.do(self.machine.abandon())
        self.overhearing.cancel()
        self.idleness.close()
        await self.answering.close()
