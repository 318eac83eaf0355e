"""One conversation: carries out what the turn machine decides.

All state changes happen on the event loop between two awaits, so there is
nothing to lock. The conversation owns the transcript, the current reply and the
streams to ASR and TTS.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from voicemesh import logs
from voicemesh.aio import TaskSet, cancel_and_wait
from voicemesh.errors import DeadlineExceeded, InternalError, VoiceMeshError
from voicemesh.v1 import asr_pb2, common_pb2, dialog_pb2, llm_pb2
from voicemesh_orchestrator import metrics
from voicemesh_orchestrator.apology import apology
from voicemesh_orchestrator.history import Exchange, History
from voicemesh_orchestrator.recognition import Recognition
from voicemesh_orchestrator.reply import Reply, ReplyContext
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
from voicemesh_orchestrator.voice import Voice

if TYPE_CHECKING:  # The stubs' asynchronous types exist for type checkers only.
    from voicemesh.v1.llm_pb2_grpc import LanguageModelServiceAsyncStub

log = logging.getLogger(__name__)

EPOCH = 1
_LIVE_TURNS = 8
_APOLOGY_CHUNK_S = 0.2

Event = dialog_pb2.ConverseResponse


class Conversation:
    """The turns of one client."""

    def __init__(
        self,
        conversation_id: str,
        config: dialog_pb2.ConverseConfig,
        settings: OrchestratorSettings,
        llm: LanguageModelServiceAsyncStub,
        tell: Callable[[Event], None],
    ) -> None:
        """``tell`` sends a response to the client and never waits."""
        self.conversation_id = conversation_id
        self._config = config
        self._settings = settings
        self._llm = llm
        self._tell = tell
        self._language = config.language_codes[0] if config.language_codes else ""
        self._machine = TurnMachine(EPOCH)
        self._history = History(settings.max_exchanges)
        self._turns: dict[int, TurnRecord] = {}
        self._tasks = TaskSet()
        self._closing = TaskSet()
        self._reply_task: asyncio.Task[None] | None = None
        self._final_deadline: asyncio.TimerHandle | None = None
        self._recognition: Recognition | None = None
        self._synthesis: Synthesis | None = None
        self._heard_samples = 0
        self._heard_at_s = time.monotonic()
        self._phase_since_s = time.monotonic()

    def attach(self, recognition: Recognition | None, synthesis: Synthesis | None) -> None:
        """Give the conversation its ear and its mouth."""
        self._recognition = recognition
        self._synthesis = synthesis

    @property
    def stamp(self) -> common_pb2.Stamp:
        """The newest stamp."""
        return self._machine.stamp

    @property
    def phase(self) -> str:
        """In a word: idle, listening, thinking, speaking."""
        return self._machine.phase

    @property
    def phase_ms(self) -> int:
        """How long the phase has lasted, in milliseconds."""
        return int((time.monotonic() - self._phase_since_s) * 1000)

    # ── what the client says ────────────────────────────────────────────────

    async def hear(self, chunk: common_pb2.AudioChunk) -> None:
        """Microphone audio, already checked."""
        assert self._recognition is not None
        self._advance(chunk.first_sample + len(chunk.audio) // 2)
        await self._recognition.audio(chunk)

    def hear_silence(self, chunk: common_pb2.SilenceChunk) -> None:
        """Silence as a duration, already checked."""
        assert self._recognition is not None
        self._advance(chunk.first_sample + chunk.sample_count)
        self._recognition.silence(chunk)

    def _advance(self, sample: int) -> None:
        self._heard_samples, self._heard_at_s = sample, time.monotonic()

    def end_utterance(self, end: common_pb2.EndOfUtterance) -> None:
        """The user says that the utterance is over."""
        assert self._recognition is not None
        self._recognition.end_of_utterance(end)
        self._cancel_final_deadline()
        self._final_deadline = asyncio.get_running_loop().call_later(
            self._settings.deadlines.final_transcript_s, self._final_is_late
        )

    def _cancel_final_deadline(self) -> None:
        if self._final_deadline is not None:
            self._final_deadline.cancel()
            self._final_deadline = None

    def _final_is_late(self) -> None:
        limit = self._settings.deadlines.final_transcript_s
        self.recognition_lost(
            DeadlineExceeded(
                f"asr: no final transcript within {limit:g} s", stage=common_pb2.STAGE_ASR
            )
        )

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
        answering = self._machine.answering
        if answering is None or report.stamp != answering:
            return
        voice = self._turns[answering.turn].voice
        if voice is not None:
            voice.report(report)

    # ── what recognition says ───────────────────────────────────────────────

    def on_turn_event(self, event: asr_pb2.TurnEvent) -> None:
        """An event of the user's turn."""
        if event.type == asr_pb2.TURN_EVENT_TYPE_START_OF_TURN:
            self._do(self._machine.user_started())
            self._turn(self.stamp)
            if self._recognition is not None:
                self._recognition.stamp = self.stamp
        self._tell(Event(stamp=self.stamp, turn_event=event))
        if event.type == asr_pb2.TURN_EVENT_TYPE_END_OF_TURN:
            self._end_of_turn(event)

    def _end_of_turn(self, event: asr_pb2.TurnEvent) -> None:
        self._cancel_final_deadline()
        effects = self._machine.user_finished(event.transcript.text)
        turn = self._turn(self.stamp)
        timeline = turn.timeline
        now = time.monotonic()
        if self._recognition is not None and event.last_voiced_sample > 0:
            behind = (self._heard_samples - event.last_voiced_sample) / self._rate
            timeline.origin_s = min(now, self._heard_at_s - behind)
            timeline.reach("last_voiced", timeline.origin_s)
        else:
            timeline.origin_s = now
        if event.final_pass_us:
            metrics.ASR_FINAL.observe(event.final_pass_us / 1e6)
        timeline.reach("asr_final", now)
        timeline.reach("endpoint", now)
        turn.wait_ms = event.wait_ms
        self._do(effects)

    @property
    def _rate(self) -> int:
        return self._config.input_format.sample_rate_hertz

    def recognition_lost(self, error: VoiceMeshError) -> None:
        """ASR has failed; the stream is being reopened."""
        self._cancel_final_deadline()
        error.stage = error.stage or common_pb2.STAGE_ASR
        count_error(error)
        effects = self._machine.hearing_failed(error)
        if not effects:
            self._tell(Event(stamp=self.stamp, error=error.detail()))
        self._do(effects)

    # ── what the machine decides ────────────────────────────────────────────

    def _turn(self, stamp: common_pb2.Stamp) -> TurnRecord:
        if stamp.turn not in self._turns:
            self._turns[stamp.turn] = TurnRecord()
            while len(self._turns) > _LIVE_TURNS:
                del self._turns[min(self._turns)]
        return self._turns[stamp.turn]

    def _do(self, effects: Sequence[Effect]) -> None:
        phase = self._machine.phase
        for effect in effects:
            match effect:
                case StartReply(stamp, question):
                    self._start_reply(stamp, question)
                case StopReply(stamp, reason):
                    self._stop_reply(stamp, reason)
                case Apologise(stamp, error):
                    self._apologise(stamp, error)
                case EndTurn(stamp, outcome):
                    self._end_turn(stamp, outcome)
                case MoveFloor(state, transition):
                    floor = dialog_pb2.FloorChange(state=state, transition=transition)
                    self._tell(Event(stamp=self.stamp, floor=floor))
        if effects or phase != self._machine.phase:
            self._phase_since_s = time.monotonic()

    def _start_reply(self, stamp: common_pb2.Stamp, question: str) -> None:
        turn = self._turn(stamp)
        turn.question = question
        turn.voice = self._new_voice(stamp)
        context = ReplyContext(
            settings=self._settings,
            conversation_id=self.conversation_id,
            llm=self._llm,
            synthesis=self._synthesis,
            closing=self._closing,
            tell=self._tell_of,
        )
        turn.timeline.reach("question")
        turn.reply = Reply(context, stamp, turn.timeline, turn.voice)
        started = dialog_pb2.ReplyStarted(question=question)
        self._tell(Event(stamp=stamp, reply_started=started))
        previous = self._reply_task
        self._reply_task = self._tasks.start(self._run_reply(stamp, turn.reply, previous), "reply")

    def _new_voice(self, stamp: common_pb2.Stamp) -> Voice | None:
        if self._synthesis is None:
            return None
        lead_ms = self._config.reply_lead_ms or self._settings.reply_lead_ms
        ahead_ms = max(lead_ms, self._settings.synthesis_ahead_ms)
        rate = self._config.output_format.sample_rate_hertz

        def send(audio: dialog_pb2.ReplyAudio) -> None:
            self._send_audio(stamp, audio)

        return Voice(rate, lead_ms, ahead_ms, send)

    def _send_audio(self, stamp: common_pb2.Stamp, audio: dialog_pb2.ReplyAudio) -> None:
        timeline = self._turn(stamp).timeline
        if timeline.since_origin("first_audio_sent") is None:
            timeline.reach("first_audio_sent")
            self._do(self._machine.reply_audible(stamp))
        self._tell_of(stamp, Event(reply_audio=audio))

    def _tell_of(self, stamp: common_pb2.Stamp, event: Event) -> None:
        """Say something of a reply, unless that reply is no longer wanted."""
        if stamp == self._machine.answering:
            event.stamp.CopyFrom(stamp)
            self._tell(event)

    async def _run_reply(
        self, stamp: common_pb2.Stamp, reply: Reply, previous: asyncio.Task[None] | None
    ) -> None:
        await cancel_and_wait(previous)
        request = llm_pb2.GenerationRequest(
            conversation_id=self.conversation_id,
            messages=self._history.messages(self._turns[stamp.turn].question),
            priority=llm_pb2.PRIORITY_INTERACTIVE,
            facts=dict(self._config.facts),
        )
        if self._config.system_prompt:
            request.messages.insert(
                0,
                llm_pb2.ChatMessage(
                    role=llm_pb2.ROLE_SYSTEM,
                    parts=[llm_pb2.ContentPart(text=self._config.system_prompt)],
                ),
            )
        with logs.bind(self.conversation_id, stamp):
            try:
                await reply.run(request)
            except VoiceMeshError as error:
                self._reply_failed(stamp, error)
            except Exception:
                log.exception("a reply failed unexpectedly")
                self._reply_failed(
                    stamp,
                    InternalError(
                        "orchestrator: internal error; its log has the details",
                        stage=common_pb2.STAGE_ORCHESTRATOR,
                    ),
                )
            else:
                self._do(self._machine.reply_done(stamp, dialog_pb2.TURN_OUTCOME_COMPLETED))

    def _reply_failed(self, stamp: common_pb2.Stamp, error: VoiceMeshError) -> None:
        error.stage = error.stage or common_pb2.STAGE_ORCHESTRATOR
        count_error(error)
        log.warning("the turn failed: %s", error)
        self._do(self._machine.reply_failed(stamp, error))

    def _stop_reply(self, stamp: common_pb2.Stamp, reason: str) -> None:
        metrics.INTERRUPTIONS.labels(reason).inc()
        if self._synthesis is not None:
            self._synthesis.stop(stamp, reason)
        if self._reply_task is not None and self._reply_task is not asyncio.current_task():
            self._reply_task.cancel()
        interrupted = dialog_pb2.ReplyInterrupted(reason=reason)
        self._tell(Event(stamp=stamp, reply_interrupted=interrupted))

    def _apologise(self, stamp: common_pb2.Stamp, error: VoiceMeshError) -> None:
        turn = self._turn(stamp)
        turn.error = error
        self._tell(Event(stamp=stamp, error=error.detail()))
        if self._synthesis is not None:
            self._synthesis.stop(stamp, "error")
        self._reply_task = self._tasks.start(self._play_apology(stamp, turn), "apology")

    async def _play_apology(self, stamp: common_pb2.Stamp, turn: TurnRecord) -> None:
        """Append the apology to what has been sent of the reply, and wait until it is heard."""
        language = self._language or _language_of(turn.question)
        rate = self._config.output_format.sample_rate_hertz or 16_000
        clip = apology(language, rate)
        begin = len(turn.reply.text) if turn.reply is not None else 0
        text = dialog_pb2.ReplyText(text=clip.text, first_char=begin)
        self._tell_of(stamp, Event(reply_text=text))
        if self._synthesis is not None:
            if turn.voice is None:
                turn.voice = self._new_voice(stamp)
            assert turn.voice is not None
            turn.voice.drop_waiting()
            span = common_pb2.TextSpan(begin_char=begin, end_char=begin + len(clip.text))
            step = int(rate * _APOLOGY_CHUNK_S) * 2
            for first in range(0, len(clip.audio), step):
                turn.voice.add(clip.audio[first : first + step], span)
            turn.voice.complete()
            await turn.voice.send_all()
            await turn.voice.played_out()
        self._do(self._machine.reply_done(stamp, dialog_pb2.TURN_OUTCOME_FAILED))

    def _end_turn(self, stamp: common_pb2.Stamp, outcome: dialog_pb2.TurnOutcome.ValueType) -> None:
        turn = self._turns.pop(stamp.turn, None) or TurnRecord()
        completed = outcome == dialog_pb2.TURN_OUTCOME_COMPLETED
        heard = turn.heard_text(completed)
        if turn.reply is not None and completed and turn.reply.history_reset:
            self._history.clear()
        elif turn.reply is not None:
            self._history.add(Exchange(turn.question, heard, not completed))
        self._tell(Event(stamp=stamp, turn_ended=turn.ended(outcome, heard)))
        turn.measure(self.conversation_id, stamp, outcome)

    async def close(self) -> None:
        """The client is gone: end what is under way and the streams."""
        self._cancel_final_deadline()
        self._do(self._machine.abandon())
        await self._tasks.close()
        if self._recognition is not None:
            await self._recognition.close()
        if self._synthesis is not None:
            await self._synthesis.close()
        await self._closing.finish()


def _language_of(text: str) -> str:
    """The language of an apology where the conversation names none."""
    return "zh" if any("\u4e00" <= char <= "\u9fff" for char in text) else "en"
