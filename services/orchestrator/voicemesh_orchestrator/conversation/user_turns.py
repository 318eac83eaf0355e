"""The user's spoken turns: sound on its way to recognition, and what recognition makes of it."""

from __future__ import annotations

import logging
import time

from voicemesh.errors import DeadlineExceeded, VoiceMeshError
from voicemesh.v1 import asr_pb2, common_pb2, dialog_pb2
from voicemesh_orchestrator import metrics
from voicemesh_orchestrator.conversation.client import Client
from voicemesh_orchestrator.conversation.effect_handler import EffectHandler
from voicemesh_orchestrator.conversation.timers import Timers
from voicemesh_orchestrator.history import Memory
from voicemesh_orchestrator.reply.turn_record import count_error
from voicemesh_orchestrator.settings import OrchestratorSettings
from voicemesh_orchestrator.upstream.recognition import Recognition, between_turns

log = logging.getLogger(__name__)

_LOOKS_AGAIN_S = 1.0

Event = dialog_pb2.ConverseResponse


class UserTurns:
    """Follows the user's turns and has the turn machine decide on them."""

    def __init__(
        self,
        performer: EffectHandler,
        settings: OrchestratorSettings,
        timers: Timers,
        memory: Memory,
        rate_hertz: int,
        face: Client,
    ) -> None:
        """``rate_hertz``: of the microphone. ``timers`` end with the next event of the turn."""
        self._performer = performer
        self._machine = performer.machine
        self._settings = settings
        self._timers = timers
        self._memory = memory
        self._rate = rate_hertz
        self._face = face
        self._recognition: Recognition | None = None
        self._closed = False
        self._takes_floor = False
        self._heard_samples = 0
        self._heard_at_s = time.monotonic()
        self._final_text_s: float | None = None
        self._turn_begin = 0

    def attach(self, recognition: Recognition) -> None:
        """Give the conversation its ear."""
        self._recognition = recognition

    @property
    def awaited(self) -> bool:
        """Whether somebody speaks, or was asked to."""
        return self._machine.hearing is not None or self._machine.expected is not None

    # What the client says.

    async def audio(self, chunk: common_pb2.AudioChunk) -> None:
        """Microphone audio, already checked. Waits while ASR is behind."""
        assert self._recognition is not None
        self.heard_until(chunk.first_sample + len(chunk.audio) // 2)
        await self._recognition.audio(chunk)

    def silence(self, chunk: common_pb2.SilenceChunk) -> None:
        """Silence as a duration, already checked."""
        assert self._recognition is not None
        self.heard_until(chunk.first_sample + chunk.sample_count)
        self._recognition.silence(chunk)

    def heard_until(self, sample: int) -> None:
        """Sound has come up to there, or was sent to ASR by the robot itself."""
        self._heard_samples, self._heard_at_s = sample, time.monotonic()

    def local_speech(self) -> None:
        """The robot's own detector hears somebody."""
        if self._recognition is not None:
            self._performer.do(self._machine.speech_began())

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
        self.failed(DeadlineExceeded(text, stage=common_pb2.STAGE_ASR))

    # What recognition says.

    def on_turn_event(self, event: asr_pb2.TurnEvent) -> None:
        """An event of the user's turn."""
        if self._closed:
            return  # Recognition's stream ends last; nothing begins any more.
        self._memory.speaker = between_turns(event.state)
        overhearing = self._performer.overhearing
        overhearing.look_around()
        match event.type:
            case asr_pb2.TURN_EVENT_TYPE_START_OF_TURN:
                self._start_of_turn(event)
            case asr_pb2.TURN_EVENT_TYPE_END_OF_TURN if not self._was_given_up(event):
                self._end_of_turn(event)
                return
        # An eager end brings the text that the end will have, unless speech goes on.
        eager = event.type == asr_pb2.TURN_EVENT_TYPE_EAGER_END_OF_TURN
        self._final_text_s = time.monotonic() if eager else None
        stamp = self._machine.hearing or self._performer.stamp
        self._performer.send(Event(stamp=stamp, turn_event=event))
        overhearing.heard(event)
        if eager:
            self._speculate(event)
        elif event.type == asr_pb2.TURN_EVENT_TYPE_TURN_RESUMED:
            self._performer.do(self._machine.user_resumed())

    def _start_of_turn(self, event: asr_pb2.TurnEvent) -> None:
        self._timers.cancel()
        self._performer.idleness.close()
        self._turn_begin = event.sample
        self._performer.do(self._machine.user_started())
        self._limit_turn()
        if self._recognition is not None:
            self._recognition.stamp = self._performer.stamp

    def _limit_turn(self) -> None:
        """The robot takes the floor from a user who speaks for too long, where that is set."""
        self._takes_floor = False
        limit_s = self._settings.floor.longest_user_turn_s
        if limit_s and self._recognition is not None:
            self._timers.after(limit_s, self._take_floor)

    def _take_floor(self) -> None:
        if self._machine.answering is not None:
            # It has the floor already; the user, who speaks over it, may have it next.
            self._timers.after(_LOOKS_AGAIN_S, self._take_floor)
            return
        self._takes_floor = True
        self.end_utterance(common_pb2.EndOfUtterance(sample=self._heard_samples))

    def _was_cut(self, event: asr_pb2.TurnEvent) -> bool:
        """Whether the recogniser that a robot streams to itself has ended too long a turn."""
        limited = self._recognition is None and self._settings.floor.longest_user_turn_s > 0
        return limited and event.reason == asr_pb2.TURN_REASON_MAX_LENGTH

    def _speculate(self, event: asr_pb2.TurnEvent) -> None:
        """The turn may be over: its answer may be begun, within bounds."""
        eager, performer = self._settings.eager, self._performer
        text = event.transcript.text
        spoken_s = (event.last_voiced_sample - self._turn_begin) / self._rate
        quiet = performer.overhearing.wants_silence(text)
        if performer.answering.speculates and not quiet and spoken_s <= eager.longest_speech_s:
            performer.do(self._machine.eager_end(text, eager.max_tries))

    def _was_given_up(self, event: asr_pb2.TurnEvent) -> bool:
        """Whether the turn has ended already, because its text came too late."""
        nothing_heard = event.reason == asr_pb2.TURN_REASON_NOTHING_HEARD  # Has no beginning.
        return self._machine.hearing is None and not nothing_heard

    def _end_of_turn(self, event: asr_pb2.TurnEvent) -> None:
        self._timers.cancel()
        performer, now = self._performer, time.monotonic()
        takes_floor, self._takes_floor = self._takes_floor or self._was_cut(event), False
        if takes_floor:
            log.info("the user's turn has become too long: the robot takes the floor")
        effects = performer.overhearing.finished(event, takes_floor)
        performer.send(Event(stamp=performer.stamp, turn_event=event))
        turn = performer.turns.of(performer.stamp)
        turn.wait_ms = event.wait_ms
        # When the user fell silent: as long ago as samples have come since.
        behind_s = (self._heard_samples - event.last_voiced_sample) / self._rate
        last_voiced_s = min(now, self._heard_at_s - behind_s)
        turn.user_fell_silent(last_voiced_s, self._final_text_s or now, now)
        self._final_text_s = None
        if event.final_pass_us:
            metrics.ASR_FINAL.observe(event.final_pass_us / 1e6)
        performer.do(effects)

    def failed(self, error: VoiceMeshError) -> None:
        """ASR has failed: what is being said is lost."""
        if self._closed:
            return
        self._timers.cancel()
        error.stage = error.stage or common_pb2.STAGE_ASR
        effects = self._machine.hearing_failed(error)
        if not effects:
            count_error(error)
            self._performer.send(Event(stamp=self._performer.stamp, error=error.detail()))
            return
        self._face.close_microphone()
        self._performer.do(effects)
        if self._recognition is not None:
            # The rest of the utterance would be taken for another question.
            self._recognition.deaf = True

    def turn_over(self) -> None:
        """A turn has ended: what is said from now on is heard again."""
        if self._recognition is not None:
            self._recognition.deaf = False

    def stop(self) -> None:
        """Nothing that recognition says counts any more."""
        self._closed = True
        self._timers.cancel()

    async def close(self) -> None:
        """End the stream to recognition."""
        if self._recognition is not None:
            await self._recognition.close()
