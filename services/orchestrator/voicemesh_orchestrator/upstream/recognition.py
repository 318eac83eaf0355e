"""One stream to ASR for a microphone: open over all turns, reopened when lost."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from voicemesh.aio import TaskSet
from voicemesh.backoff import Backoff
from voicemesh.errors import DeadlineExceeded, Unavailable, VoiceMeshError, from_detail
from voicemesh.v1 import asr_pb2, common_pb2
from voicemesh_orchestrator.settings import OrchestratorSettings
from voicemesh_orchestrator.upstream.kept_sound import KeptSound, Said, Sound
from voicemesh_orchestrator.upstream.recognition_outage import RecognitionOutage
from voicemesh_orchestrator.upstream.send_ticks import SendTicks
from voicemesh_orchestrator.upstream.sound_level import SoundLevel
from voicemesh_orchestrator.upstream.stream import Upstream

if TYPE_CHECKING:  # The stubs' asynchronous types exist for type checkers only.
    from voicemesh.v1.asr_pb2_grpc import SpeechRecognizerServiceAsyncStub

log = logging.getLogger(__name__)

_FIRST_BACKOFF_S = 0.2
_LONGEST_BACKOFF_S = 3.0
_MOST_BEATS = 64  # More are not under way before the stream counts as stalled.
_WARNING_TAKES_MS = 40  # A final pass, and the way of the eager end to here.

Request = asr_pb2.StreamingRecognizeRequest
Response = asr_pb2.StreamingRecognizeResponse


def between_turns(state: asr_pb2.TurnDetectorState) -> asr_pb2.TurnDetectorState:
    """What a detector knows of a speaker, without the turn under way: that one is lost."""
    return asr_pb2.TurnDetectorState(
        mean_pause_ms=state.mean_pause_ms, pause_count=state.pause_count
    )


class RecognitionEvents(Protocol):
    """Whoever follows the user's turns. Called on the event loop; must not block."""

    def on_turn_event(self, event: asr_pb2.TurnEvent) -> None:
        """An event of the user's turn."""

    def recognition_failed(self, error: VoiceMeshError, spoken: bool = False) -> None:
        """The utterance is lost; a lost stream is reopened by itself.

        Called again when that has taken long (see RecognitionOutage): ``spoken``, because
        somebody has said something meanwhile.
        """


class Recognition:
    """Feeds the microphone to ASR and reports the user's turns.

    Sound is kept until ASR has shown that it has come, for some seconds at most. After a
    loss it is sent first when the stream is open again: also what went to a process that
    was dead already. Who speaks when the stream has been lost for long is told so.
    """

    def __init__(
        self,
        stub: SpeechRecognizerServiceAsyncStub,
        settings: OrchestratorSettings,
        config: asr_pb2.StreamingRecognitionConfig,
        ticks: SendTicks,
        events: RecognitionEvents,
    ) -> None:
        """``ticks`` are shared by all conversations. Nothing is opened before ``start``."""
        self._stub = stub
        self._target = settings.asr_target
        self._config = config
        self._connect_s = settings.deadlines.connect_s
        self._events = events
        self._rate = config.audio_format.sample_rate_hertz
        self._coalescing_ms = settings.microphone_coalescing_ms
        self._coalesced_samples = self._rate * self._coalescing_ms // 1000
        self._ticks = ticks
        self._level = SoundLevel(self._rate)
        self._leave_ticks: Callable[[], None] | None = None
        self._pending = bytearray()
        self._pending_first = 0
        self._pending_echo = common_pb2.EchoEvidence()
        longest = int(settings.outage_buffer_s * self._rate)
        self._kept = KeptSound(longest, self._rate, config.first_sample)
        # How far sound had been sent with each heartbeat that is not answered yet.
        self._beats: deque[tuple[int, int]] = deque(maxlen=_MOST_BEATS)
        self._outage_s = settings.deadlines.outage_s
        self._stall_s = settings.deadlines.stall_s
        self._outage: RecognitionOutage | None = None
        self._tasks = TaskSet()
        self._upstream = self._new_upstream()
        self._state = config.resume_from
        self.stamp = common_pb2.Stamp()
        self.in_turn = False
        self._deaf = False
        self._warns = False
        self._nearly_over = False

    def _new_upstream(self) -> Upstream[Request, Response]:
        self._beats.clear()
        return Upstream(
            common_pb2.STAGE_ASR,
            self._target,
            self._receive,
            self._lost,
            self._heartbeat,
            self._stall_s,
        )

    def _heartbeat(self, beat: common_pb2.Heartbeat) -> Request:
        self._beats.append((beat.sequence, self._kept.end))
        return Request(stamp=self.stamp, heartbeat=beat)

    def _heartbeat_came_back(self, sequence: int) -> None:
        """All that was sent before it has been taken."""
        while self._beats and self._beats[0][0] <= sequence:
            self._kept.forget_before(self._beats.popleft()[1])

    def be_deaf(self, deaf: bool) -> None:
        """While it is, sound goes on as silence: it belongs to an utterance that was lost."""
        self._deaf = deaf
        if deaf:
            self._kept.forget()

    async def start(self) -> asr_pb2.RecognitionStarted:
        """Open the stream; what serves it, or why none does."""
        response = await self._upstream.start(
            self._stub.StreamingRecognize,
            Request(stamp=self.stamp, streaming_config=self._config),
            self._connect_s,
        )
        self._opened(response.started)
        if self._coalesced_samples:
            self._leave_ticks = self._ticks.join(self._flush)
        return response.started

    def _opened(self, started: asr_pb2.RecognitionStarted) -> None:
        """Whether an eager end comes early enough before the end to be a warning of it."""
        waits = started.turn_detector
        first_end_ms = min(waits.sentence_end_wait_ms, waits.clause_end_wait_ms)
        early_ms = first_end_ms - waits.eager_wait_ms
        self._warns = early_ms >= self._coalescing_ms + _WARNING_TAKES_MS

    def _receive(self, response: Response) -> None:
        kind = response.WhichOneof("streaming_response")
        if kind == "heartbeat":
            if response.heartbeat.echo:
                self._heartbeat_came_back(response.heartbeat.sequence)
        elif kind == "error":  # Of this utterance; the stream lives on.
            self.in_turn = False
            self._events.recognition_failed(from_detail(response.error))
        elif kind == "turn_event":
            event = response.turn_event
            self._state = event.state
            if event.type == asr_pb2.TURN_EVENT_TYPE_START_OF_TURN:
                self.in_turn = True
            elif event.type == asr_pb2.TURN_EVENT_TYPE_END_OF_TURN:
                self.in_turn = False
                self._kept.forget_before(event.sample)
            if event.type == asr_pb2.TURN_EVENT_TYPE_EAGER_END_OF_TURN:
                self._nearly_over = True
                self._flush()
            elif event.type != asr_pb2.TURN_EVENT_TYPE_UPDATE:
                self._nearly_over = False
            self._events.on_turn_event(event)

    async def audio(self, chunk: common_pb2.AudioChunk) -> None:
        """More of the microphone. Waits while ASR is behind."""
        if not self._pending:
            self._pending_first = chunk.first_sample
            self._pending_echo = chunk.echo
        elif chunk.echo.likelihood < self._pending_echo.likelihood:
            self._pending_echo = chunk.echo  # What is gathered holds something else as well.
        self._pending += chunk.audio
        if not self._may_wait(chunk.audio):
            self._flush()
            await self._upstream.room()

    def _may_wait(self, audio: bytes) -> bool:
        """Whether a chunk may wait for the next tick, because messages cost.

        Silence between turns may, and sound within one. What may begin a turn, or end
        it, may not, nor what comes near the end: there somebody waits. And no messages
        are saved where chunks are long already or come faster than real time.
        """
        if not self._ticks.gathers or len(audio) // 2 >= self._coalesced_samples:
            return False
        may_be_heard = self._level.process(audio)
        if may_be_heard is not self.in_turn:
            return False
        if self.in_turn and (self._nearly_over or not self._warns):
            return False
        return len(self._pending) // 2 < 2 * self._coalesced_samples

    def silence(self, chunk: common_pb2.SilenceChunk) -> None:
        """Silence as a duration."""
        self._flush()
        self._pass_on(chunk, chunk.sample_count)

    def end_of_utterance(self, end: common_pb2.EndOfUtterance) -> None:
        """The user says that the utterance is over."""
        self._flush()
        self._kept.add(end)
        if self._upstream.open:
            self._send(end)

    def _flush(self) -> None:
        if not self._pending:
            return
        chunk = common_pb2.AudioChunk(audio=bytes(self._pending), first_sample=self._pending_first)
        if self._pending_echo.likelihood > 0:
            chunk.echo.CopyFrom(self._pending_echo)
        self._pending.clear()
        self._pass_on(chunk, len(chunk.audio) // 2)

    def _pass_on(self, sound: Sound, samples: int) -> None:
        if self._deaf:
            sound = common_pb2.SilenceChunk(first_sample=sound.first_sample, sample_count=samples)
        self._kept.add(sound)
        if self._upstream.open:
            self._send(sound)
        elif self._outage is not None:
            self._outage.feed(sound)

    def _send(self, said: Said) -> None:
        match said:
            case common_pb2.AudioChunk():
                self._upstream.send(Request(stamp=self.stamp, audio=said))
            case common_pb2.SilenceChunk():
                self._upstream.send(Request(stamp=self.stamp, silence=said))
            case common_pb2.EndOfUtterance():
                self._upstream.send(Request(stamp=self.stamp, end_of_utterance=said))

    def _lost(self, error: VoiceMeshError) -> None:
        # ASR ends streams into which nothing has been said for long; nobody misses anything.
        unused = isinstance(error, DeadlineExceeded) and not self.in_turn
        self.in_turn = False
        outage = self._outage = RecognitionOutage(self._rate, self._outage_s, self._still_lost)
        if not unused:
            self._events.recognition_failed(error)
        for said in self._kept.since(self._kept.begin):
            outage.feed(said)
        self._tasks.start(self._reopen(self._upstream), "reopen recognition")

    def _still_lost(self, spoken: bool) -> None:
        text = (
            f"asr: recognition was lost more than {self._outage_s:g} s ago and is not back yet; "
            "say it again in a moment, and look at the log of asr if it stays so"
        )
        self._events.recognition_failed(Unavailable(text, stage=common_pb2.STAGE_ASR), spoken)

    def _end_outage(self) -> None:
        if self._outage is not None:
            self._outage.end()
            self._outage = None

    async def _reopen(self, lost: Upstream[Request, Response]) -> None:
        await lost.close()
        backoff = Backoff(_FIRST_BACKOFF_S, _LONGEST_BACKOFF_S)
        while True:
            begun_s = time.monotonic()
            upstream = self._new_upstream()
            config = asr_pb2.StreamingRecognitionConfig()
            config.CopyFrom(self._config)
            config.first_sample = self._kept.begin
            config.resume_from.CopyFrom(between_turns(self._state))
            request = Request(stamp=self.stamp, streaming_config=config)
            try:
                response = await upstream.start(
                    self._stub.StreamingRecognize, request, self._connect_s
                )
            except VoiceMeshError as error:
                log.warning("recognition is still lost: %s", error)
                # Who was waited for has had its pause.
                await asyncio.sleep(max(0.0, begun_s + backoff.next_s() - time.monotonic()))
            else:
                self._end_outage()
                self._upstream = upstream
                self._opened(response.started)
                for said in self._kept.since(config.first_sample):
                    self._send(said)
                log.info("recognition goes on")
                return

    async def close(self) -> None:
        """End the stream."""
        if self._leave_ticks is not None:
            self._leave_ticks()
        self._end_outage()
        await self._tasks.close()
        await self._upstream.close()
