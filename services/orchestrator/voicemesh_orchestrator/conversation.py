"""One conversation: carries out what the turn machine decides.

All state changes happen on the event loop between two awaits, so there is
nothing to lock. The conversation owns the transcript, the turns under way and
the streams to ASR and TTS.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from voicemesh.errors import DeadlineExceeded, VoiceMeshError
from voicemesh.v1 import asr_pb2, common_pb2, dialog_pb2, operations_pb2, robot_pb2
from voicemesh_orchestrator import metrics
from voicemesh_orchestrator.answering import Answering
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
from voicemesh_orchestrator.face import Face
from voicemesh_orchestrator.history import Exchange, Memory
from voicemesh_orchestrator.idleness import Idleness
from voicemesh_orchestrator.overhearing import Overhearing, policy_of
from voicemesh_orchestrator.recognition import Recognition, recognition_config
from voicemesh_orchestrator.settings import OrchestratorSettings
from voicemesh_orchestrator.synthesis import Synthesis
from voicemesh_orchestrator.timers import Timers
from voicemesh_orchestrator.turn_machine import TurnMachine
from voicemesh_orchestrator.turn_record import TurnRecord, count_error
from voicemesh_orchestrator.turn_watch import TurnWatch

if TYPE_CHECKING:  # The stubs' asynchronous types exist for type checkers only.
    from voicemesh.v1.llm_pb2_grpc import LanguageModelServiceAsyncStub

log = logging.getLogger(__name__)

# A turn that is heard, one that is answered, and those whose end is being told.
_LIVE_TURNS = 8
# A robot knows best whether somebody spoke: it may say so first.
_NO_SPEECH_GRACE_S = 1.0
# What the robot is about to say counts as said: who answers a question need not
# wait for its last word.
_ABOUT_TO_BE_HEARD_S = 1.0
# Older words of the robot are no echo: who repeats them asks about them.
_ECHO_MEMORY_S = 5.0

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
        policy = policy_of(config, settings.floor)
        self._machine = TurnMachine(memory.stamp.epoch, memory.stamp.turn, policy)
        self._overhearing = Overhearing(settings.floor, self._machine, self._do, self._said_lately)
        self._idleness = Idleness(settings.proactive, self.say, self._fall_asleep)
        self._history = memory.history
        self._turns: dict[int, TurnRecord] = {}
        self._answering = Answering(self.conversation_id, config, settings, llm, synthesis, self)
        self._recognition: Recognition | None = None
        self._timers = Timers()
        self._closed = False
        self._takes_floor = False
        self._heard_samples = 0
        self._heard_at_s = time.monotonic()
        self._final_text_s: float | None = None
        self._turn_begin = 0
        self._phase = self._machine.phase
        self._phase_since_s = time.monotonic()

    def attach(self, recognition: Recognition) -> None:
        """Give the conversation its ear."""
        self._recognition = recognition

    def begin(self) -> None:
        """The client has been told that the conversation is open."""
        self._idleness.spoken()
        if self._settings.proactive.greeting:
            self.say(self._settings.proactive.greeting)

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
            limit_s = limit_ms / 1000
            self._timers.after(limit_s + _NO_SPEECH_GRACE_S, self.nobody_spoke, limit_s)

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
        self._timers.cancel()
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
            self._timers.cancel()
            limit = self._settings.deadlines.final_transcript_s
            self._timers.after(limit, self._final_is_late)

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

    def say(self, text: str) -> bool:
        """The robot is to say ``text`` by itself; whether the floor is free for it."""
        effects = self._machine.say(text)
        self._do(effects)
        return bool(effects)

    def _fall_asleep(self, idle_s: float) -> None:
        asleep = dialog_pb2.FallAsleep(idle_ms=int(idle_s * 1000))
        self._send(Event(stamp=self.stamp, fall_asleep=asleep))

    def local_speech(self) -> None:
        """The robot's own detector hears somebody."""
        if self._recognition is not None:
            self._do(self._machine.speech_began())

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
        if self._closed:
            return  # Recognition's stream ends last; nothing begins any more.
        self._overhearing.look_around()
        match event.type:
            case asr_pb2.TURN_EVENT_TYPE_START_OF_TURN:
                self._timers.cancel()
                self._idleness.close()
                self._turn_begin = event.sample
                self._do(self._machine.user_started())
                self._limit_turn()
                if self._recognition is not None:
                    self._recognition.stamp = self.stamp
            case asr_pb2.TURN_EVENT_TYPE_END_OF_TURN:
                self._end_of_turn(event)
                return
        # An eager end brings the text that the end will have, unless speech goes on.
        eager = event.type == asr_pb2.TURN_EVENT_TYPE_EAGER_END_OF_TURN
        self._final_text_s = time.monotonic() if eager else None
        self._send(Event(stamp=self._machine.hearing or self.stamp, turn_event=event))
        self._overhearing.heard(event)
        if eager:
            self._speculate(event)
        elif event.type == asr_pb2.TURN_EVENT_TYPE_TURN_RESUMED:
            self._do(self._machine.user_resumed())

    def _said_lately(self, stamp: common_pb2.Stamp) -> str:
        reply = self._turn(stamp).reply
        if reply is None:
            return ""
        before = reply.heard_text(-_ECHO_MEMORY_S)
        return reply.heard_text(_ABOUT_TO_BE_HEARD_S).removeprefix(before).strip()

    def _limit_turn(self) -> None:
        """The robot takes the floor from a user who speaks for too long, where that is set."""
        self._takes_floor = False
        limit_s = self._settings.floor.longest_user_turn_s
        if limit_s:
            self._timers.after(limit_s, self._take_floor)

    def _take_floor(self) -> None:
        if self._recognition is not None and self._machine.answering is None:
            log.info("the user's turn has become too long: the robot takes the floor")
            self._takes_floor = True
            self.end_utterance(common_pb2.EndOfUtterance(sample=self._heard_samples))

    def _speculate(self, event: asr_pb2.TurnEvent) -> None:
        """The turn may be over: its answer may be begun, within bounds."""
        eager = self._settings.eager
        spoken_s = (event.last_voiced_sample - self._turn_begin) / self._rate
        quiet = self._overhearing.wants_silence(event.transcript.text)
        if self._answering.speculates and not quiet and spoken_s <= eager.longest_speech_s:
            self._do(self._machine.eager_end(event.transcript.text, eager.max_tries))

    def _end_of_turn(self, event: asr_pb2.TurnEvent) -> None:
        self._timers.cancel()
        now = time.monotonic()
        takes_floor, self._takes_floor = self._takes_floor, False
        effects = self._overhearing.finished(event, takes_floor)
        self._send(Event(stamp=self.stamp, turn_event=event))
        turn = self._turn(self.stamp)
        turn.wait_ms = event.wait_ms
        # When the user fell silent: as long ago as samples have come since.
        behind_s = (self._heard_samples - event.last_voiced_sample) / self._rate
        last_voiced_s = min(now, self._heard_at_s - behind_s)
        turn.user_fell_silent(last_voiced_s, self._final_text_s or now, now)
        self._final_text_s = None
        if event.final_pass_us:
            metrics.ASR_FINAL.observe(event.final_pass_us / 1e6)
        self._do(effects)

    def recognition_failed(self, error: VoiceMeshError) -> None:
        """ASR has failed: what is being said is lost."""
        if self._closed:
            return
        self._timers.cancel()
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
        self._timers.cancel()
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

    def speculation_failed(self, stamp: common_pb2.Stamp) -> None:
        """What was begun before the turn is over has failed."""
        self._do(self._machine.speculation_failed(stamp))

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
                case Speculate(stamp, question):
                    turn = self._turn(stamp)
                    self._answering.speculate(stamp, turn, self._history, question)
                case Discard(stamp, reason):
                    self._answering.discard(stamp, reason)
                case Commit(stamp, question):
                    self._reply_starts(stamp, question)
                    self._answering.commit(stamp, self._turn(stamp))
                case StartReply(stamp, question):
                    self._reply_starts(stamp, question)
                    self._answering.start(stamp, self._turn(stamp), self._history)
                case Say(stamp, text):
                    self._reply_starts(stamp, "")
                    self._answering.say(stamp, self._turn(stamp), text)
                case HoldReply(stamp, duck):
                    self._answering.hold(stamp, self._turn(stamp), duck)
                    self._overhearing.wait()
                case ResumeReply(stamp, reason):
                    self._overhearing.cancel()
                    self._answering.resume(stamp, self._turn(stamp), reason)
                case StopReply(stamp, reason):
                    self._overhearing.cancel()
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
                case MoveFloor(state, transition, reason):
                    floor = dialog_pb2.FloorChange(
                        state=state, transition=transition, reason=reason
                    )
                    metrics.count_floor_move(floor)
                    self._send(Event(stamp=self.stamp, floor=floor))
        self._memory.stamp = self.stamp
        if self._phase != self._machine.phase:
            self._phase, self._phase_since_s = self._machine.phase, time.monotonic()

    def _reply_starts(self, stamp: common_pb2.Stamp, question: str) -> None:
        self._turn(stamp).question = question
        if question:
            self._idleness.close()
        started = dialog_pb2.ReplyStarted(question=question)
        self._send(Event(stamp=stamp, reply_started=started))

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
        if turn.reply is not None and not turn.question:
            self._idleness.silent()
        else:
            self._idleness.spoken()
        turn.measure(self.conversation_id, stamp, outcome)

    async def close(self) -> None:
        """The client is gone: end what is under way and the streams."""
        self._closed = True
        self._timers.cancel()
        self._do(self._machine.abandon())
        self._overhearing.cancel()
        self._idleness.close()
        await self._answering.close()
        if self._recognition is not None:
            await self._recognition.close()
        if self._synthesis is not None:
            await self._synthesis.close()
        if self._watch is not None:
            self._watch.end()
