"""One conversation: its parts, built in one place, and what goes back and forth between them.

All state changes happen on the event loop between two awaits, so there is
nothing to lock. The user's speech goes to ``user_turns``, turns that somebody asks
for to ``requested_turns``; both have the turn machine decide, and the conversation
has its decisions carried out. Replies, timers and barge-in report here.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Generic, NamedTuple, TypeVar

from voicemesh.errors import VoiceMeshError
from voicemesh.v1 import common_pb2, dialog_pb2, operations_pb2
from voicemesh_orchestrator.barge_in.handler import BargeIn
from voicemesh_orchestrator.conversation.client import Client
from voicemesh_orchestrator.conversation.effect_handler import EffectHandler
from voicemesh_orchestrator.conversation.idle_timer import IdleTimer
from voicemesh_orchestrator.conversation.requested_turns import RequestedTurns
from voicemesh_orchestrator.conversation.timers import Timers
from voicemesh_orchestrator.conversation.turn_feed import TurnFeed
from voicemesh_orchestrator.conversation.user_turns import UserTurns
from voicemesh_orchestrator.history import Memory
from voicemesh_orchestrator.plan import ConversationPlan
from voicemesh_orchestrator.reply.outgoing import Event, Outgoing
from voicemesh_orchestrator.reply.runner import ReplyRunner
from voicemesh_orchestrator.reply.turn_record import TurnRecords
from voicemesh_orchestrator.turn.effects import Effect, EndTurn
from voicemesh_orchestrator.turn.machine import TurnMachine
from voicemesh_orchestrator.turn.phase import Phase
from voicemesh_orchestrator.turn.policy import UNSPECIFIED, Policy
from voicemesh_orchestrator.upstream.services import Services
from voicemesh_orchestrator.upstream.synthesis import Synthesis

# What the robot is about to say counts as said: who answers a question need not
# wait for its last word.
_ABOUT_TO_BE_HEARD_S = 1.0
# Older words of the robot are no echo: who repeats them asks about them.
_ECHO_MEMORY_S = 5.0


class _PhaseSince(NamedTuple):
    phase: Phase
    at_s: float


C = TypeVar("C", bound=Client)


class Conversation(Generic[C]):
    """The turns of one client."""

    def __init__(
        self,
        memory: Memory,
        plan: ConversationPlan,
        services: Services,
        connect: Callable[[Conversation[C]], C],
    ) -> None:
        """``memory``: what was before; it is kept up to date.

        ``connect`` makes the client that this conversation talks to; the client may
        report to the conversation only once this has returned.
        """
        settings, rate_hertz = services.settings, plan.microphone_rate_hertz
        self.conversation_id = memory.conversation_id
        self.client = connect(self)
        self._memory = memory
        self._greeting = settings.proactive.greeting
        self._feed: TurnFeed | None = None
        self._machine = machine = TurnMachine(memory.stamp.epoch, memory.stamp.turn, plan.policy)
        self._phase = _PhaseSince(machine.phase, time.monotonic())
        self._timers = timers = Timers()
        self._records = records = TurnRecords()
        self._outgoing = outgoing = Outgoing(self.client, machine)
        self._replies = replies = ReplyRunner(self.conversation_id, plan, services, outgoing, self)
        self._barge_in = barge_in = BargeIn(settings.floor, machine, self, rate_hertz)
        self._idle = idle = IdleTimer(settings.proactive, self)
        self._effects = EffectHandler(
            memory=memory,
            machine=machine,
            records=records,
            outgoing=outgoing,
            replies=replies,
            barge_in=barge_in,
            idle=idle,
        )
        self.user_turns = UserTurns(
            memory=memory,
            rate_hertz=rate_hertz,
            services=services,
            machine=machine,
            decisions=self,
            records=records,
            outgoing=outgoing,
            replies=replies,
            barge_in=barge_in,
            idle=idle,
            timers=timers,
            client=self.client,
        )
        """The user's spoken turns."""
        self.requested_turns = RequestedTurns(
            memory=memory,
            recognition=plan.recognition,
            settings=settings,
            machine=machine,
            decisions=self,
            records=records,
            timers=timers,
            client=self.client,
        )
        """Those that somebody asks for."""

    def begin(self) -> None:
        """The client has been told that the conversation is open."""
        self._idle.restart()
        if self._greeting:
            self.speak(self._greeting)

    @property
    def synthesis(self) -> Synthesis | None:
        """The stream that speaks its replies; None where the client wants text only."""
        return self._replies.synthesis

    @property
    def stamp(self) -> common_pb2.Stamp:
        """The newest stamp."""
        return self._machine.stamp

    @property
    def idle(self) -> bool:
        """Whether nobody speaks, is expected to, or is answered."""
        return self._machine.phase is Phase.IDLE

    @property
    def typed_chars(self) -> int:
        """How much typed text waits for the spoken turn that it belongs to."""
        return self._machine.typed_chars

    def live_turn(self) -> operations_pb2.LiveTurn:
        """What the conversation is doing."""
        return operations_pb2.LiveTurn(
            conversation_id=self.conversation_id,
            stamp=self.stamp,
            phase=self._machine.phase.value,
            phase_ms=int((time.monotonic() - self._phase.at_s) * 1000),
        )

    # What the turn machine has decided.

    def carry_out(self, effects: Sequence[Effect]) -> None:
        """Carry out what the machine has decided, in order."""
        for effect in effects:
            if isinstance(effect, EndTurn):
                self._turn_over()
            self._effects.carry_out(effect)
        self._memory.stamp = self.stamp
        if self._phase.phase is not self._machine.phase:
            self._phase = _PhaseSince(self._machine.phase, time.monotonic())

    def _turn_over(self) -> None:
        self.user_turns.turn_over()
        if self.idle:
            self.client.close_microphone()

    # What the client, or a controller, wants.

    def follow(self, feed: TurnFeed) -> None:
        """Show ``feed`` what happens from now on; who followed before is superseded."""
        self.supersede()
        self._feed = self._outgoing.follower = feed

    def supersede(self) -> None:
        """A newer turn is asked for: who follows is told so."""
        if self._feed is not None:
            self._feed.supersede()
            self._feed = self._outgoing.follower = None

    def type_text(self, typed: dialog_pb2.TypedText) -> None:
        """The user types; checked already."""
        policy = typed.interruption_policy
        self.carry_out(self._machine.typed(typed.text, typed.with_speech, policy))

    def speak(self, text: str, policy: Policy = UNSPECIFIED, commanded: bool = False) -> bool:
        """Have the robot speak ``text`` by itself; whether the floor is free for it."""
        effects = self._machine.speak(text, policy, commanded)
        self.carry_out(effects)
        return bool(effects)

    def interrupt(self, interrupt: dialog_pb2.Interrupt) -> None:
        """The user wants quiet."""
        if interrupt.HasField("playback"):
            self.report_playback(interrupt.playback)
        self.carry_out(self._machine.interrupt())

    def report_playback(self, report: common_pb2.PlaybackReport) -> None:
        """Where the client's speaker stands; reports of other turns are late and dropped."""
        if self._feed is not None:
            self._feed.played(report)
        answering = self._machine.answering
        if answering is not None and report.stamp == answering:
            sender = self._records.of(answering).sender
            if sender is not None:
                sender.report(report)

    def lost(self, error: VoiceMeshError) -> None:
        """The client itself has failed: nobody is there to hear an apology."""
        self._timers.cancel()
        machine = self._machine
        stamp = machine.answering or machine.hearing or machine.expected
        if stamp is not None:
            self._effects.fail(stamp, error)
            self.carry_out(machine.abandon(dialog_pb2.TURN_OUTCOME_FAILED))

    # What barge-in and silence ask for.

    def spoken_lately(self, stamp: common_pb2.Stamp) -> str:
        """The text of the reply of ``stamp`` around the place that plays now."""
        reply = self._records.of(stamp).reply
        if reply is None:
            return ""
        before = reply.heard_text(-_ECHO_MEMORY_S)
        return reply.heard_text(_ABOUT_TO_BE_HEARD_S).removeprefix(before).strip()

    def fall_asleep(self, idle_s: float) -> None:
        """Tell the client that the robot may sleep, after so many seconds of silence."""
        if not self.idle:
            self._idle.restart()  # The robot says something by itself, or waits for somebody.
            return
        asleep = dialog_pb2.FallAsleep(idle_ms=int(idle_s * 1000))
        self._outgoing.send(Event(stamp=self.stamp, fall_asleep=asleep))

    # What replies report (see ReplyEvents).

    def reply_audible(self, stamp: common_pb2.Stamp) -> None:
        """The first audio of the reply goes to the client."""
        self._records.of(stamp).timeline.reach("first_audio_sent")
        self.carry_out(self._machine.reply_audible(stamp))

    def reply_done(
        self, stamp: common_pb2.Stamp, outcome: dialog_pb2.TurnOutcome.ValueType
    ) -> None:
        """The reply (or the apology) has been played to its end."""
        self.carry_out(self._machine.reply_done(stamp, outcome))

    def reply_failed(self, stamp: common_pb2.Stamp, error: VoiceMeshError) -> None:
        """A stage of the reply has failed."""
        self.carry_out(self._machine.reply_failed(stamp, error))

    def speculation_failed(self, stamp: common_pb2.Stamp) -> None:
        """What was begun before the turn is over has failed."""
        self.carry_out(self._machine.speculation_failed(stamp))

    async def close(self) -> None:
        """The client is gone: end what is under way and the streams."""
        self.user_turns.stop()
        self.carry_out(self._machine.abandon())
        self._barge_in.cancel()
        self._idle.close()
        await self._replies.close()
        await self.user_turns.close()
        if self._feed is not None:
            self._feed.end()
