"""One conversation: carries out what the turn machine decides.

All state changes happen on the event loop between two awaits, so there is
nothing to lock. The conversation owns the transcript, the turns under way and
the streams to ASR and TTS.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from voicemesh.errors import DeadlineExceeded, VoiceMeshError
from voicemesh.v1 import asr_pb2, common_pb2, dialog_pb2, operations_pb2, robot_pb2
from voicemesh_orchestrator import metrics
from voicemesh_orchestrator.answering import Answering
from voicemesh_orchestrator.face import Face
from voicemesh_orchestrator.history import Exchange, Memory
from voicemesh_orchestrator.recognition import Recognition, recognition_config
from voicemesh_orchestrator.settings import OrchestratorSettings
from voicemesh_orchestrator.synthesis import Synthesis
from voicemesh_orchestrator.turn_machine import (
    Apologise,
    Effect,
    EndTurn,
    MoveFloor,
    StartReply,
    StopReply,
    TurnMachine,
)
from voicemesh_orchestrator.turn_record import TurnRecord, count_error
from voicemesh_orchestrator.turn_watch import TurnWatch

if TYPE_CHECKING:  # The stubs' asynchronous types exist for type checkers only.
    from voicemesh.v1.llm_pb2_grpc import LanguageModelServiceAsyncStub

log = logging.getLogger(__name__)

# A turn that is heard, one that is answered, and those whose end is being told.
_LIVE_TURNS = 8
# A robot knows best whether somebody spoke: it may say so first.
_NO_SPEECH_GRACE_S = 1.0

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
        face: Face,
    ) -> None:
        """``memory``: what was before; it is kept up to date."""
        self.conversation_id = memory.conversation_id
        self._memory = memory
        self._config = config
        self._settings = settings
        self._synthesis = synthesis
        self.face = face
        self._watch: TurnWatch | None = None
        self._rate = config.input_format.sample_rate_hertz
        self._machine = TurnMachine(memory.stamp.epoch, memory.stamp.turn)
        self._history = memory.history
        self._turns: dict[int, TurnRecord] = {}
        self._answering = Answering(self.conversation_id, config, settings, llm, synthesis, self)
        self._recognition: Recognition | None = None
        self._final_deadline: asyncio.TimerHandle | None = None
        self._no_speech: asyncio.TimerHandle | None = None
        self._heard_samples = 0
        self._heard_at_s = time.monotonic()
        self._final_text_s: float | None = None
        self._phase = self._machine.phase
        self._phase_since_s = time.monotonic()

    def attach(self, recognition: Recognition) -> None:
        """Give the conversation its ear."""
        self._recognition = recognition

    @property
    def stamp(self) -> common_pb2.Stamp:
        """The newest stamp."""
        return self._machine.stamp

    def live_turn(self) -> operations_pb2.LiveTurn:
        """What the conversation is doing."""
        return operations_pb2.LiveTurn(
            conversation_id=self.conversation_id,
            stamp=self.stamp,
            phase=self._machine.phase,
            phase_ms=int((time.monotonic() - self._phase_since_s) * 1000),
        )

    def _send(self, event: Event) -> None:
        self.face.tell(event)
        if self._watch is not None:
            self._watch.tell(event)

    # What a controller asks for.

    def watch(self, watch: TurnWatch) -> None:
        """Show ``watch`` what happens from now on; who watched before is superseded."""
        self.supersede()
        self._watch = watch

    def supersede(self) -> None:
        """A newer turn is asked for: who watches is told so."""
        if self._watch is not None:
            self._watch.supersede()
            self._watch = None

    def expect(self, wants_answer: bool) -> common_pb2.Stamp:
        """The next (or present) speech is a turn that was asked for; its stamp."""
        self._do(self._machine.expect(wants_answer))
        return self._machine.hearing or self.stamp

    async def listen(self, stamp: common_pb2.Stamp, no_speech_ms: int) -> None:
        """Open the microphone for the expected turn of ``stamp``; raises why that cannot be."""
        limit_ms = no_speech_ms or self._settings.no_speech_timeout_ms
        request = robot_pb2.ListenRequest(
            stamp=stamp,
            recognition=recognition_config(self.conversation_id, self._config),
            no_speech_timeout_ms=limit_ms,
        )
        try:
            await self.face.listen(request)
        except VoiceMeshError as error:
            self._unheard(error, dialog_pb2.TURN_OUTCOME_FAILED)
            raise
        if self._machine.expected == stamp:
            loop = asyncio.get_running_loop()
            limit_s = limit_ms / 1000
            self._no_speech = loop.call_later(
                limit_s + _NO_SPEECH_GRACE_S, self.nobody_spoke, limit_s
            )

    @property
    def awaits_speech(self) -> bool:
        """Whether a turn was asked for and nobody has spoken yet."""
        return self._machine.expected is not None

    def nobody_spoke(self, limit_s: float) -> None:
        """Nobody has said anything for that long."""
        error = DeadlineExceeded(
            f"robot: nobody spoke within {limit_s:g} s", stage=common_pb2.STAGE_ROBOT
        )
        self._unheard(error, dialog_pb2.TURN_OUTCOME_NOTHING_HEARD)

    def _unheard(self, error: VoiceMeshError, outcome: dialog_pb2.TurnOutcome.ValueType) -> None:
        """The expected turn ends before anybody spoke."""
        self._cancel_timers()
        if self._machine.expected is not None:
            self._turn(self._machine.expected).error = error
            self.face.close_microphone()
            self._do(self._machine.nobody_spoke(outcome))

    def give_up(self, stamp: common_pb2.Stamp) -> None:
        """Whoever asked for the turn of ``stamp`` has gone."""
        if stamp in (self._machine.expected, self._machine.hearing):
            self.face.close_microphone()
        self._do(self._machine.give_up(stamp))

    async def wake(self) -> None:
        """The robot woke up by itself: listen to whoever woke it, unless somebody speaks."""
        if self._machine.expected is not None or self._machine.hearing is not None:
            return
        stamp = self.expect(wants_answer=True)
        try:
            await self.listen(stamp, no_speech_ms=0)
        except VoiceMeshError as error:
            log.warning("the robot woke up but does not listen: %s", error)

    # What the client says.

    async def hear(self, chunk: common_pb2.AudioChunk) -> None:
        """Microphone audio, already checked. Waits while ASR is behind."""
        assert self._recognition is not None
        self._advance(chunk.first_sample + len(chunk.audio) // 2)
        await self._recognition.audio(chunk)

    def hear_silence(self, chunk: common_pb2.SilenceChunk) -> None:
        """Silence as a duration, already checked."""
        assert self._recognition is not None
        self._advance(chunk.first_sample + chunk.sample_count)
        self._recognition.silence(chunk)

    def heard_until(self, sample: int) -> None:
        """A robot that streams to ASR itself has sent its sound up to there."""
        self._advance(sample)

    def _advance(self, sample: int) -> None:
        self._heard_samples, self._heard_at_s = sample, time.monotonic()

    def end_utterance(self, end: common_pb2.EndOfUtterance) -> None:
        """The user says that the utterance is over: its transcript is due."""
        assert self._recognition is not None
        self._recognition.end_of_utterance(end)
        if self._recognition.in_turn:
            self._cancel_timers()
            limit = self._settings.deadlines.final_transcript_s
            self._final_deadline = asyncio.get_running_loop().call_later(limit, self._final_is_late)

    def _cancel_timers(self) -> None:
        for timer in (self._final_deadline, self._no_speech):
            if timer is not None:
                timer.cancel()
        self._final_deadline = self._no_speech = None

    def _final_is_late(self) -> None:
        limit = self._settings.deadlines.final_transcript_s
        text = f"asr: no final transcript within {limit:g} s"
        self.recognition_failed(DeadlineExceeded(text, stage=common_pb2.STAGE_ASR))

    def type_text(self, typed: dialog_pb2.TypedText) -> None:
        """The user types."""
        self._do(self._machine.typed(typed.text, typed.with_speech))

    def interrupt(self, interrupt: dialog_pb2.Interrupt) -> None:
        """The user wants quiet."""
        if interrupt.HasField("playback"):
            self.report_playback(interrupt.playback)
        self._do(self._machine.interrupt())

    def report_playback(self, report: common_pb2.PlaybackReport) -> None:
        """Where the client's speaker stands; reports of other turns are late and dropped."""
        if self._watch is not None:
            self._watch.played(report)
        answering = self._machine.answering
        if answering is not None and report.stamp == answering:
            voice = self._turn(answering).voice
            if voice is not None:
                voice.report(report)

    # What recognition says.

    def on_turn_event(self, event: asr_pb2.TurnEvent) -> None:
        """An event of the user's turn."""
        if event.type == asr_pb2.TURN_EVENT_TYPE_START_OF_TURN:
            self._cancel_timers()
            self._do(self._machine.user_started())
            if self._recognition is not None:
                self._recognition.stamp = self.stamp
        if event.type == asr_pb2.TURN_EVENT_TYPE_END_OF_TURN:
            self._end_of_turn(event)
        else:
            # An eager end brings the text that the end will have, unless speech goes on.
            eager = event.type == asr_pb2.TURN_EVENT_TYPE_EAGER_END_OF_TURN
            self._final_text_s = time.monotonic() if eager else None
            if eager:
                self._answering.prepare()
            stamp = self._machine.hearing or self.stamp
            self._send(Event(stamp=stamp, turn_event=event))

    def _end_of_turn(self, event: asr_pb2.TurnEvent) -> None:
        self._cancel_timers()
        now = time.monotonic()
        effects = self._machine.user_finished(event.transcript.text)
        self._send(Event(stamp=self.stamp, turn_event=event))
        turn = self._turn(self.stamp)
        turn.wait_ms = event.wait_ms
        # When the user fell silent: as long ago as samples have come since.
        behind_s = (self._heard_samples - event.last_voiced_sample) / self._rate
        turn.timeline.origin_s = min(now, self._heard_at_s - behind_s)
        turn.timeline.reach("last_voiced", turn.timeline.origin_s)
        turn.timeline.reach("asr_final", self._final_text_s or now)
        self._final_text_s = None
        turn.timeline.reach("endpoint", now)
        if event.final_pass_us:
            metrics.ASR_FINAL.observe(event.final_pass_us / 1e6)
        self._do(effects)

    def recognition_failed(self, error: VoiceMeshError) -> None:
        """ASR has failed: what is being said is lost."""
        self._cancel_timers()
        error.stage = error.stage or common_pb2.STAGE_ASR
        effects = self._machine.hearing_failed(error)
        if not effects:
            count_error(error)
            self._send(Event(stamp=self.stamp, error=error.detail()))
        else:
            self.face.close_microphone()
        self._do(effects)
        if effects and self._recognition is not None:
            # The rest of the utterance would be taken for another question.
            self._recognition.deaf = True

    def lost(self, error: VoiceMeshError) -> None:
        """The client itself has failed: nobody is there to hear an apology."""
        self._cancel_timers()
        machine = self._machine
        stamp = machine.answering or machine.hearing or machine.expected
        if stamp is None:
            return
        count_error(error)
        self._turn(stamp).error = error
        self._send(Event(stamp=stamp, error=error.detail()))
        self._do(machine.abandon(dialog_pb2.TURN_OUTCOME_FAILED))

    # What a reply says (see Asker).

    def tell(self, stamp: common_pb2.Stamp, event: Event) -> None:
        """Send something of a reply, unless that reply is no longer wanted."""
        if stamp == self._machine.answering:
            event.stamp.CopyFrom(stamp)
            self._send(event)

    def reply_audible(self, stamp: common_pb2.Stamp) -> None:
        """The first audio of the reply goes to the client."""
        self._do(self._machine.reply_audible(stamp))

    def reply_done(
        self, stamp: common_pb2.Stamp, outcome: dialog_pb2.TurnOutcome.ValueType
    ) -> None:
        """The reply (or the apology) has been played to its end."""
        self._do(self._machine.reply_done(stamp, outcome))

    def reply_failed(self, stamp: common_pb2.Stamp, error: VoiceMeshError) -> None:
        """A stage of the reply has failed."""
        self._do(self._machine.reply_failed(stamp, error))

    # What the machine decides.

    def _turn(self, stamp: common_pb2.Stamp) -> TurnRecord:
        if stamp.turn not in self._turns:
            self._turns[stamp.turn] = TurnRecord()
            while len(self._turns) > _LIVE_TURNS:
                del self._turns[min(self._turns)]
        return self._turns[stamp.turn]

    def _do(self, effects: Sequence[Effect]) -> None:
        for effect in effects:
            match effect:
                case StartReply(stamp, question):
                    self._turn(stamp).question = question
                    started = dialog_pb2.ReplyStarted(question=question)
                    self._send(Event(stamp=stamp, reply_started=started))
                    self._answering.start(stamp, self._turn(stamp), self._history)
                case StopReply(stamp, reason):
                    metrics.INTERRUPTIONS.labels(reason).inc()
                    self._answering.stop(stamp, reason)
                    interrupted = dialog_pb2.ReplyInterrupted(reason=reason)
                    self._send(Event(stamp=stamp, reply_interrupted=interrupted))
                case Apologise(stamp, error):
                    count_error(error)
                    self._turn(stamp).error = error
                    self._send(Event(stamp=stamp, error=error.detail()))
                    self._answering.apologise(stamp, self._turn(stamp))
                case EndTurn(stamp, outcome):
                    self._end_turn(stamp, outcome)
                case MoveFloor(state, transition):
                    floor = dialog_pb2.FloorChange(state=state, transition=transition)
                    self._send(Event(stamp=self.stamp, floor=floor))
        self._memory.stamp = self.stamp
        if self._phase != self._machine.phase:
            self._phase, self._phase_since_s = self._machine.phase, time.monotonic()

    def _end_turn(self, stamp: common_pb2.Stamp, outcome: dialog_pb2.TurnOutcome.ValueType) -> None:
        turn = self._turns.pop(stamp.turn, None) or TurnRecord()
        if self._recognition is not None:
            self._recognition.deaf = False
        completed = outcome == dialog_pb2.TURN_OUTCOME_COMPLETED
        heard = turn.heard_text(completed)
        if turn.reply is not None and completed and turn.reply.history_reset:
            self._history.clear()
        elif turn.reply is not None:
            self._history.add(Exchange(turn.question, heard, not completed))
        self._send(Event(stamp=stamp, turn_ended=turn.ended(outcome, heard)))
        turn.measure(self.conversation_id, stamp, outcome)

    async def close(self) -> None:
        """The client is gone: end what is under way and the streams."""
        self._cancel_timers()
        self._do(self._machine.abandon())
        await self._answering.close()
        if self._recognition is not None:
            await self._recognition.close()
        if self._synthesis is not None:
            await self._synthesis.close()
        if self._watch is not None:
            self._watch.end()
