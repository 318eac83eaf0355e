"""One reply: question → model → pieces → synthesis → client, all overlapping."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from voicemesh import tracing
from voicemesh.aio import Channel, ChannelClosed, TaskSet
from voicemesh.errors import DeadlineExceeded, EngineError, InternalError, VoiceMeshError
from voicemesh.v1 import common_pb2, dialog_pb2, llm_pb2, tts_pb2
from voicemesh_orchestrator import metrics
from voicemesh_orchestrator.reply.paced_sender import PacedSender
from voicemesh_orchestrator.reply.timeline import Timeline
from voicemesh_orchestrator.settings import OrchestratorSettings
from voicemesh_orchestrator.text.cutting import Piece, PieceCutter
from voicemesh_orchestrator.upstream.generation import Generation
from voicemesh_orchestrator.upstream.synthesis import Synthesis

if TYPE_CHECKING:  # The stubs' asynchronous types exist for type checkers only.
    from voicemesh.v1.llm_pb2_grpc import LanguageModelServiceAsyncStub

log = logging.getLogger(__name__)

_MAX_PIECES = 4096


@dataclass(frozen=True)
class ReplyContext:
    """What a reply needs of its conversation."""

    settings: OrchestratorSettings
    conversation_id: str
    llm: LanguageModelServiceAsyncStub
    synthesis: Synthesis | None
    """None for clients that want text only."""
    closing: TaskSet
    tell: Callable[[common_pb2.Stamp, dialog_pb2.ConverseResponse], None]


class Reply:
    """Runs one reply. ``run`` ends when the reply has been played, or raises why not.

    Nothing of it reaches the client before ``commit``; until then it is made and
    held, its audio as much as may wait for the client.
    """

    def __init__(
        self,
        context: ReplyContext,
        stamp: common_pb2.Stamp,
        timeline: Timeline,
        voice: PacedSender | None,
    ) -> None:
        """``voice`` is given exactly when the context has a synthesis."""
        self.stamp = stamp
        self.timeline = timeline
        self.text = ""
        self.history_reset = False
        self._context = context
        self._voice = voice
        self._cutter = PieceCutter(context.settings.cutting)
        self._pieces: Channel[Piece] = Channel(_MAX_PIECES)
        self._piece_ends: Channel[int] = Channel(_MAX_PIECES)
        self._failure: VoiceMeshError | None = None
        self._generation: Generation | None = None
        self._committed = asyncio.Event()
        self.goodbye: asyncio.Task[None] | None = None
        """Runs once the model is done: ends when its place is free again."""

    @property
    def committed(self) -> bool:
        """Whether it is an answer, and no work on a turn that may not be over."""
        return self._committed.is_set()

    def commit(self, timeline: Timeline) -> None:
        """The turn is over: what has been made of the reply is its answer.

        ``timeline``: of the turn; from now on it goes on there.
        """
        timeline.adopt(self.timeline)
        self.timeline = timeline
        self._committed.set()
        if self.text:
            self._tell_text(self.text, 0)

    def waste(self) -> None:
        """It was made for nothing: count what it has cost."""
        if self._generation is not None:
            self._generation.waste()
        if self._voice is not None:
            metrics.EAGER_WASTED_AUDIO.inc(self._voice.received_s)

    async def run(self, asked: llm_pb2.GenerationRequest | str) -> None:
        """Answer a request, or say a text; raises the VoiceMeshError of the stage that failed."""
        source = self._recite(asked) if isinstance(asked, str) else self._think(asked)
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(source, name="think")
                if self._voice is not None and self._context.synthesis is not None:
                    group.create_task(self._speak(self._context.synthesis), name="speak")
                    group.create_task(self._play(self._voice), name="play")
        except* VoiceMeshError as failed:
            error = failed.exceptions[0]
            while isinstance(error, BaseExceptionGroup):
                error = error.exceptions[0]
            raise error from None
        if self._voice is None:
            await self._committed.wait()
            self._tell_end(0)

    async def _play(self, voice: PacedSender) -> None:
        await self._committed.wait()
        await voice.send_all()
        self._tell_end(voice.sent_samples)
        await voice.played_out()

    def _tell_end(self, sample_count: int) -> None:
        self.timeline.reach("reply_sent")
        ended = dialog_pb2.ReplyEnded(char_count=len(self.text), sample_count=sample_count)
        self._context.tell(self.stamp, dialog_pb2.ConverseResponse(reply_ended=ended))

    async def _recite(self, text: str) -> None:
        """Say what needs no thinking."""
        self._write(text)
        self._finish_text()

    def _finish_text(self) -> None:
        for piece in self._cutter.finish():
            self._queue(piece)
        self._pieces.close()

    async def _think(self, request: llm_pb2.GenerationRequest) -> None:
        context = self._context
        target = context.settings.llm_target
        generation = self._generation = Generation(
            context.llm, target, self.stamp, context.settings.deadlines, context.closing
        )
        with tracing.span("llm", context.conversation_id, self.stamp):
            try:
                await generation.start(request)
                await self._read_generation(generation)
            finally:
                self.goodbye = generation.close("turn")
        if not self.text.strip():
            raise EngineError("llm: the model gave an empty answer", stage=common_pb2.STAGE_LLM)
        self._finish_text()

    async def _read_generation(self, generation: Generation) -> None:
        first = True
        while True:
            event = await generation.next(first)
            kind = event.WhichOneof("generate_response")
            if kind == "delta" and event.delta.text:
                first = False
                self.timeline.reach("llm_first_token")
                self._write(event.delta.text)
            elif kind == "tool_call":
                # Nor would it be run for a turn that may not be over.
                log.warning("the model called a tool that was not offered")
            elif kind == "finished":
                self.timeline.reach("llm_end")
                self.history_reset = event.finished.history_reset
                return

    def _write(self, text: str) -> None:
        """More of the reply's text: to the client as it is, to synthesis in pieces."""
        begin = len(self.text)
        self.text += text
        for piece in self._cutter.push(text):
            self._queue(piece)
        if self.committed:
            self._tell_text(text, begin)

    def _tell_text(self, text: str, first_char: int) -> None:
        delta = dialog_pb2.ReplyText(text=text, first_char=first_char)
        self._context.tell(self.stamp, dialog_pb2.ConverseResponse(reply_text=delta))

    def _queue(self, piece: Piece) -> None:
        self.timeline.reach("first_piece")
        self._pieces.send(piece)

    async def _speak(self, synthesis: Synthesis) -> None:
        """Give the pieces to TTS, one ahead of the audio that waits."""
        assert self._voice is not None
        number = 0
        await synthesis.ensure_open()
        synthesis.begin(self.stamp, self)
        with tracing.span("tts", self._context.conversation_id, self.stamp):
            async for piece in self._pieces:
                number += 1
                synthesis.say(piece, number, last=False)
                await self._piece_spoken()
                metrics.SYNTHESIS_QUEUE.set(len(self._pieces))
                await self._voice.room()
        self._voice.complete()

    async def _piece_spoken(self) -> None:
        """Wait for the end of the piece under way, as long as its audio keeps coming."""
        assert self._voice is not None
        limit = self._context.settings.deadlines.audio_s
        while True:
            received = self._voice.received_samples
            try:
                async with asyncio.timeout(limit):
                    await self._piece_ends.receive()
                return
            except ChannelClosed:
                raise self._failure or InternalError("tts: the reply lost its voice") from None
            except TimeoutError:
                if self._voice.received_samples == received:
                    raise DeadlineExceeded(
                        f"tts: no audio within {limit:g} s", stage=common_pb2.STAGE_TTS
                    ) from None

    def on_audio(self, audio: tts_pb2.SynthesizedAudio) -> None:
        """Audio from TTS."""
        assert self._voice is not None
        self.timeline.reach("tts_first_audio")
        self._voice.add(audio.chunk.audio, audio.span)

    def on_piece_finished(self, finished: tts_pb2.PieceFinished) -> None:
        """TTS has spoken a piece to its end."""
        self._piece_ends.send(finished.piece)

    def on_synthesis_failed(self, error: VoiceMeshError) -> None:
        """TTS cannot go on."""
        self._failure = error
        self._piece_ends.close()

    def heard_text(self, ahead_s: float = 0.0) -> str:
        """What of the reply the user has heard; for text-only clients all of it.

        ``ahead_s``: and what will have been in so many seconds; negative: so long ago.
        """
        if self._voice is None:
            return self.text.strip()
        return self._voice.heard_text(self.text, ahead_s)
