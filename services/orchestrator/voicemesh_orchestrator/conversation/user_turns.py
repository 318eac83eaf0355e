"""The user's spoken turns: what recognition makes of the sound, and when an answer is due."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass

from voicemesh.errors import DeadlineExceeded, VoiceMeshError
from voicemesh.v1 import asr_pb2, common_pb2
from voicemesh_orchestrator import metrics
from voicemesh_orchestrator.barge_in.handler import BargeIn
from voicemesh_orchestrator.conversation.client import Client
from voicemesh_orchestrator.conversation.decisions import Decisions
from voicemesh_orchestrator.conversation.idle_timer import IdleTimer
from voicemesh_orchestrator.conversation.sound_input import SoundInput
from voicemesh_orchestrator.conversation.timers import Timers
from voicemesh_orchestrator.history import Memory
from voicemesh_orchestrator.reply.outgoing import Event, Outgoing
from voicemesh_orchestrator.reply.runner import ReplyRunner
from voicemesh_orchestrator.reply.turn_record import TurnRecords, count_error
from voicemesh_orchestrator.turn.machine import TurnMachine
from voicemesh_orchestrator.upstream.recognition import Recognition, between_turns
from voicemesh_orchestrator.upstream.services import Services

log = logging.getLogger(__name__)

_LOOKS_AGAIN_S = 1.0


@dataclass(frozen=True)
class _Position:
    """How far sound has come, on the microphone's clock and on ours."""

    sample: int
    at_s: float


class UserTurns:
    """Follows the user's turns and has the turn machine decide on them."""

    def __init__(
        self,
        *,
        memory: Memory,
        rate_hertz: int,
        services: Services,
        machine: TurnMachine,
        decisions: Decisions,
        records: TurnRecords,
        outgoing: Outgoing,
        replies: ReplyRunner,
        barge_in: BargeIn,
        idle: IdleTimer,
        timers: Timers,
        client: Client,
    ) -> None:
        """``rate_hertz``: of the microphone. ``timers`` end with the next event of the turn."""
        self._memory = memory
        self._rate = rate_hertz
        self._services = services
        self._settings = services.settings
        self._machine = machine
        self._decisions = decisions
        self._records = records
        self._outgoing = outgoing
        self._replies = replies
        self._barge_in = barge_in
        self._idle = idle
        self._timers = timers
        self._client = client
        self._recognition: Recognition | None = None
        """None for a robot that streams to ASR itself, and before a microphone has been opened."""
        self._closed = False
        self._takes_floor = False
        self._heard = _Position(0, time.monotonic())
        self._final_text_s: float | None = None
        self._turn_begin = 0

    async def open_recognition(
        self, config: asr_pb2.StreamingRecognitionConfig, stamp: common_pb2.Stamp
    ) -> SoundInput:
        """Open a stream to ASR for a microphone; raises why none can be had.

        ``stamp``: under which it begins.
        """
        recognition = self._services.recognition(config, self)
        recognition.stamp = stamp
        started = await recognition.start()
        self._recognition = recognition
        return SoundInput(recognition, self, started.capabilities.languages)

    @property
    def awaited(self) -> bool:
        """Whether somebody speaks, or was asked to."""
        return self._machine.hearing is not None or self._machine.expected is not None

    # What the client reports.

    def heard_until(self, sample: int) -> None:
        """Sound has come up to there, or was sent to ASR by the robot itself."""
        self._heard = _Position(sample, time.monotonic())

    def local_speech(self) -> None:
        """The robot's own detector hears somebody."""
        if self._recognition is not None:
            self._decisions.carry_out(self._machine.speech_began())

    def end_utterance(self, end: common_pb2.EndOfUtterance) -> None:
        """The user says that the utterance is over: its transcript is due."""
        if self._recognition is None:
            return
        self._recognition.end_of_utterance(end)
        if self._recognition.in_turn:
            self._timers.cancel()
            limit = self._settings.deadlines.final_transcript_s
            self._timers.after(limit, self._final_is_late)

    def _final_is_late(self) -> None:
        limit = self._settings.deadlines.final_transcript_s
        text = f"asr: no final transcript within {limit:g} s"
        self.recognition_failed(DeadlineExceeded(text, stage=common_pb2.STAGE_ASR))

    # What recognition reports (see RecognitionEvents).

    def on_turn_event(self, event: asr_pb2.TurnEvent) -> None:
        """An event of the user's turn."""
        if self._closed:
            return  # Recognition's stream ends last; nothing begins any more.
        self._memory.speaker = between_turns(event.state)
        match event.type:
            case asr_pb2.TURN_EVENT_TYPE_START_OF_TURN:
                self._start_of_turn(event)
                self._send(event)
                self._decisions.carry_out(self._barge_in.said(event))
            case asr_pb2.TURN_EVENT_TYPE_END_OF_TURN if self._was_given_up(event):
                self._final_text_s = None
                self._send(event)
            case asr_pb2.TURN_EVENT_TYPE_END_OF_TURN:
                self._end_of_turn(event)
            case _:
                self._within_turn(event)

    def _send(self, event: asr_pb2.TurnEvent) -> None:
        stamp = self._machine.hearing or self._machine.stamp
        self._outgoing.send(Event(stamp=stamp, turn_event=event))

    def _start_of_turn(self, event: asr_pb2.TurnEvent) -> None:
        self._final_text_s = None
        self._timers.cancel()
        self._idle.close()
        self._turn_begin = event.sample
        self._decisions.carry_out(self._barge_in.take(event))
        self._limit_turn()
        if self._recognition is not None:
            self._recognition.stamp = self._machine.stamp

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
        self.end_utterance(common_pb2.EndOfUtterance(sample=self._heard.sample))

    def _within_turn(self, event: asr_pb2.TurnEvent) -> None:
        # An eager end brings the text that the end will have, unless speech goes on.
        eager = event.type == asr_pb2.TURN_EVENT_TYPE_EAGER_END_OF_TURN
        self._final_text_s = time.monotonic() if eager else None
        self._send(event)
        self._decisions.carry_out(self._barge_in.take(event))
        if eager:
            self._speculate(event)
        elif event.type == asr_pb2.TURN_EVENT_TYPE_TURN_RESUMED:
            self._decisions.carry_out(self._machine.user_resumed())

    def _speculate(self, event: asr_pb2.TurnEvent) -> None:
        """The turn may be over: its answer may be begun, within bounds."""
        eager, text = self._settings.eager, event.transcript.text
        spoken_s = (event.last_voiced_sample - self._turn_begin) / self._rate
        quiet = self._barge_in.wants_silence(text)
        if self._replies.speculates and not quiet and spoken_s <= eager.longest_speech_s:
            self._decisions.carry_out(self._machine.eager_end(text, eager.max_tries))

    def _was_given_up(self, event: asr_pb2.TurnEvent) -> bool:
        """Whether the turn has ended already, because its text came too late."""
        nothing_heard = event.reason == asr_pb2.TURN_REASON_NOTHING_HEARD  # Has no beginning.
        return self._machine.hearing is None and not nothing_heard

    def _was_cut(self, event: asr_pb2.TurnEvent) -> bool:
        """Whether the recogniser that a robot streams to itself has ended too long a turn."""
        limited = self._recognition is None and self._settings.floor.longest_user_turn_s > 0
        return limited and event.reason == asr_pb2.TURN_REASON_MAX_LENGTH

    def _end_of_turn(self, event: asr_pb2.TurnEvent) -> None:
        self._timers.cancel()
        now = time.monotonic()
        takes_floor, self._takes_floor = self._takes_floor or self._was_cut(event), False
        if takes_floor:
            log.info("the user's turn has become too long: the robot takes the floor")
        effects = self._barge_in.take(event, takes_floor)
        stamp = self._machine.stamp
        self._outgoing.send(Event(stamp=stamp, turn_event=event))
        turn = self._records.of(stamp)
        turn.wait_ms = event.wait_ms
        # When the user fell silent: as long ago as samples have come since.
        behind_s = (self._heard.sample - event.last_voiced_sample) / self._rate
        last_voiced_s = min(now, self._heard.at_s - behind_s)
        turn.user_fell_silent(last_voiced_s, self._final_text_s or now, now)
        self._final_text_s = None
        if event.final_pass_us:
            metrics.ASR_FINAL.observe(event.final_pass_us / 1e6)
        self._decisions.carry_out(effects)

    def recognition_failed(self, error: VoiceMeshError, spoken: bool = False) -> None:
        """ASR has failed: what is being said, or was ``spoken`` unnoticed, is lost."""
        if self._closed:
            return
        self._timers.cancel()
        error.stage = error.stage or common_pb2.STAGE_ASR
        effects = self._machine.recognition_failed(error, spoken)
        if not effects:
            count_error(error)
            self._outgoing.send(Event(stamp=self._machine.stamp, error=error.detail()))
            return
        self._client.close_microphone()
        self._decisions.carry_out(effects)
        if self._recognition is not None:
            # The rest of the utterance would be taken for another question.
            self._recognition.be_deaf(True)

    # What the conversation reports.

    def turn_over(self) -> None:
        """A turn has ended: what is said from now on is heard again."""
        if self._recognition is not None:
            self._recognition.be_deaf(False)

    def stop(self) -> None:
        """Nothing that recognition reports counts any more."""
        self._closed = True
        self._timers.cancel()

    async def close(self) -> None:
        """End the stream to recognition."""
        if self._recognition is not None:
            await self._recognition.close()
