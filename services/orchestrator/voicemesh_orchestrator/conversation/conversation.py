"""One conversation: its parts, and what its client says besides sound.

All state changes happen on the event loop between two awaits, so there is
nothing to lock. What is said goes to ``hearing``, turns that somebody asks for
to ``asked_turns``; both have the turn machine decide, and ``EffectHandler`` carries
out what it decides.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from voicemesh.errors import VoiceMeshError
from voicemesh.v1 import common_pb2, dialog_pb2, operations_pb2
from voicemesh_orchestrator.conversation.client import Client
from voicemesh_orchestrator.conversation.effect_handler import EffectHandler
from voicemesh_orchestrator.conversation.requested_turns import RequestedTurns
from voicemesh_orchestrator.conversation.timers import Timers
from voicemesh_orchestrator.conversation.turn_feed import TurnFeed
from voicemesh_orchestrator.conversation.user_turns import UserTurns
from voicemesh_orchestrator.history import Memory
from voicemesh_orchestrator.plan import recognition_config
from voicemesh_orchestrator.settings import OrchestratorSettings
from voicemesh_orchestrator.turn.policy import UNSPECIFIED, Policy
from voicemesh_orchestrator.upstream.synthesis import Synthesis

if TYPE_CHECKING:  # The stubs' asynchronous types exist for type checkers only.
    from voicemesh.v1.llm_pb2_grpc import LanguageModelServiceAsyncStub

Event = dialog_pb2.ConverseResponse


class Conversation:
    """The turns of one client."""

    def __init__(
        self,
        memory: Memory,
        config: dialog_pb2.ConverseConfig,
        settings: OrchestratorSettings,
        llm: LanguageModelServiceAsyncStub,
        synthesis: Synthesis | None,
        face: Client,
    ) -> None:
        """``memory``: what was before; it is kept up to date."""
        self.conversation_id = memory.conversation_id
        self.face = face
        self._settings = settings
        self._synthesis = synthesis
        self._watch: TurnFeed | None = None
        self._performer = EffectHandler(
            memory, config, settings, llm, synthesis, self._send, self._turn_over
        )
        self._machine = self._performer.machine
        self._timers = timers = Timers()
        self.hearing = UserTurns(
            self._performer, settings, timers, memory, config.input_format.sample_rate_hertz, face
        )
        """The user's spoken turns."""
        recognition = recognition_config(self.conversation_id, config, settings.floor)
        self.asked_turns = RequestedTurns(
            self._performer, settings, timers, memory, recognition, face
        )
        """Those that somebody asks for."""

    def begin(self) -> None:
        """The client has been told that the conversation is open."""
        self._performer.idleness.spoken()
        if self._settings.proactive.greeting:
            self.say(self._settings.proactive.greeting)

    @property
    def stamp(self) -> common_pb2.Stamp:
        """The newest stamp."""
        return self._performer.stamp

    @property
    def idle(self) -> bool:
        """Whether nobody speaks, is expected to, or is answered."""
        return self._machine.phase == "idle"

    def live_turn(self) -> operations_pb2.LiveTurn:
        """What the conversation is doing."""
        return operations_pb2.LiveTurn(
            conversation_id=self.conversation_id,
            stamp=self.stamp,
            phase=self._machine.phase,
            phase_ms=self._performer.phase_ms,
        )

    def _send(self, event: Event) -> None:
        self.face.tell(event)
        if self._watch is not None:
            self._watch.tell(event)

    def _turn_over(self) -> None:
        self.hearing.turn_over()
        if self.idle:
            self.face.close_microphone()

    def watch(self, watch: TurnFeed) -> None:
        """Show ``watch`` what happens from now on; who watched before is superseded."""
        self.supersede()
        self._watch = watch

    def supersede(self) -> None:
        """A newer turn is asked for: who watches is told so."""
        if self._watch is not None:
            self._watch.supersede()
            self._watch = None

    def type_text(self, typed: dialog_pb2.TypedText) -> None:
        """The user types."""
        policy = typed.interruption_policy
        self._performer.do(self._machine.typed(typed.text, typed.with_speech, policy))

    def say(self, text: str, policy: Policy = UNSPECIFIED) -> bool:
        """The robot is to say ``text`` by itself; whether the floor is free for it."""
        return self._performer.say(text, policy)

    def interrupt(self, interrupt: dialog_pb2.Interrupt) -> None:
        """The user wants quiet."""
        if interrupt.HasField("playback"):
            self.report_playback(interrupt.playback)
        self._performer.do(self._machine.interrupt())

    def report_playback(self, report: common_pb2.PlaybackReport) -> None:
        """Where the client's speaker stands; reports of other turns are late and dropped."""
        if self._watch is not None:
            self._watch.played(report)
        answering = self._machine.answering
        if answering is not None and report.stamp == answering:
            voice = self._performer.turns.of(answering).voice
            if voice is not None:
                voice.report(report)

    def lost(self, error: VoiceMeshError) -> None:
        """The client itself has failed: nobody is there to hear an apology."""
        self._timers.cancel()
        machine = self._machine
        stamp = machine.answering or machine.hearing or machine.expected
        if stamp is not None:
            self._performer.failed(stamp, error)
            self._performer.do(machine.abandon(dialog_pb2.TURN_OUTCOME_FAILED))

    async def close(self) -> None:
        """The client is gone: end what is under way and the streams."""
        self.hearing.stop()
        await self._performer.close()
        await self.hearing.close()
        if self._synthesis is not None:
            await self._synthesis.close()
        if self._watch is not None:
            self._watch.end()
