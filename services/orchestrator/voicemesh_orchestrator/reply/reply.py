"""One reply: question → model → pieces → synthesis → client, all overlapping."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass

from voicemesh import tracing
from voicemesh.aio import TaskSet
from voicemesh.backoff import Backoff
from voicemesh.errors import Busy, EngineError, failure_of
from voicemesh.v1 import common_pb2, llm_pb2
from voicemesh_orchestrator import metrics
from voicemesh_orchestrator.reply.outgoing import Outgoing
from voicemesh_orchestrator.reply.speech import ReplySpeech
from voicemesh_orchestrator.reply.timeline import Timeline
from voicemesh_orchestrator.settings import OrchestratorSettings
from voicemesh_orchestrator.text.cutting import Piece, PieceCutter
from voicemesh_orchestrator.upstream.generation import Generation
from voicemesh_orchestrator.upstream.services import Services

log = logging.getLogger(__name__)

# Each try is a stream; in the second that a question waits there are five.
_FIRST_PLACE_S = 0.1
_LONGEST_PLACE_S = 0.4


@dataclass(frozen=True)
class ReplyContext:
    """What the replies of a conversation share."""

    conversation_id: str
    settings: OrchestratorSettings
    services: Services
    outgoing: Outgoing
    closing: TaskSet
    """Runs the ends of generations in the background."""


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
        speech: ReplySpeech | None,
    ) -> None:
        """``speech`` is None for clients that want text only."""
        self.stamp = stamp
        self.text = ""
        self.history_reset = False
        self.speech = speech
        self._context = context
        self._cutter = PieceCutter(context.settings.cutting)
        self._generation: Generation | None = None
        self._committed = asyncio.Event()
        self._use(timeline)
        self.goodbye: asyncio.Task[None] | None = None
        """Runs once the model is done: ends when its place is free again."""

    def _use(self, timeline: Timeline) -> None:
        self._timeline = timeline
        if self.speech is not None:
            self.speech.timeline = timeline

    @property
    def committed(self) -> bool:
        """Whether it is an answer, and no work on a turn that may not be over."""
        return self._committed.is_set()

    def commit(self, timeline: Timeline) -> None:
        """The turn is over: what has been made of the reply is its answer.

        ``timeline``: of the turn; from now on it goes on there.
        """
        timeline.adopt(self._timeline)
        self._use(timeline)
        self._committed.set()
        if self.text:
            self._context.outgoing.send_text(self.stamp, self.text, 0)

    def waste(self) -> None:
        """It was made for nothing: count what it has cost."""
        if self._generation is not None:
            self._generation.waste()
        if self.speech is not None:
            metrics.EAGER_WASTED_AUDIO.inc(self.speech.sender.received_s)

    async def run(self, asked: llm_pb2.GenerationRequest | str) -> None:
        """Answer a request, or speak a text; raises the VoiceMeshError of the stage that failed."""
        source = self._recite(asked) if isinstance(asked, str) else self._think(asked)
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(source, name="think")
                if self.speech is not None:
                    group.create_task(self.speech.run(), name="speak")
                    group.create_task(self._play(self.speech), name="play")
        except BaseExceptionGroup as failed:
            raise failure_of(failed) from None
        if self.speech is None:
            await self._committed.wait()
            self._send_end(0)

    async def _play(self, speech: ReplySpeech) -> None:
        await self._committed.wait()
        await speech.sender.send_all()
        self._send_end(speech.sender.sent_samples)
        await speech.sender.played_out()

    def _send_end(self, sample_count: int) -> None:
        self._timeline.reach("reply_sent")
        self._context.outgoing.send_end(self.stamp, len(self.text), sample_count)

    async def _recite(self, text: str) -> None:
        """Speak what needs no thinking."""
        self._write(text)
        self._finish_text()

    def _finish_text(self) -> None:
        for piece in self._cutter.finish():
            self._queue(piece)
        if self.speech is not None:
            self.speech.finish()

    async def _think(self, request: llm_pb2.GenerationRequest) -> None:
        with tracing.span("llm", self._context.conversation_id, self.stamp):
            await self._ask(request)
        if not self.text.strip():
            raise EngineError("llm: the model gave an empty answer", stage=common_pb2.STAGE_LLM)
        self._finish_text()

    async def _ask(self, request: llm_pb2.GenerationRequest) -> None:
        """Have the model write; where all its places are taken, one is waited for.

        Not for what is begun early: its place is better given to somebody who waits.
        """
        now = asyncio.get_running_loop().time
        limit_s = self._context.settings.deadlines.model_place_s
        give_up_s, backoff = now() + limit_s, Backoff(_FIRST_PLACE_S, _LONGEST_PLACE_S)
        while True:
            try:
                await self._generate(request)
                return
            except Busy as refusal:
                left_s = give_up_s - now()
                if request.speculative or self.text or left_s <= 0:
                    raise
                log.info("no place at the model yet: %s", refusal)
                await asyncio.sleep(min(left_s, backoff.next_s()))

    async def _generate(self, request: llm_pb2.GenerationRequest) -> None:
        context = self._context
        generation = context.services.generation(self.stamp, context.closing)
        self._generation = generation
        try:
            await generation.start(request)
            await self._read_generation(generation)
        finally:
            self.goodbye = generation.close("turn")

    async def _read_generation(self, generation: Generation) -> None:
        first = True
        while True:
            event = await generation.next(first)
            kind = event.WhichOneof("generate_response")
            if kind == "delta" and event.delta.text:
                first = False
                self._timeline.reach("llm_first_token")
                self._write(event.delta.text)
            elif kind == "tool_call":
                # Nor would it be run for a turn that may not be over.
                log.warning("the model called a tool that was not offered")
            elif kind == "finished":
                self._timeline.reach("llm_end")
                self.history_reset = event.finished.history_reset
                return

    def _write(self, text: str) -> None:
        """More of the reply's text: to the client as it is, to synthesis in pieces."""
        begin = len(self.text)
        self.text += text
        for piece in self._cutter.process(text):
            self._queue(piece)
        if self.committed:
            self._context.outgoing.send_text(self.stamp, text, begin)

    def _queue(self, piece: Piece) -> None:
        self._timeline.reach("first_piece")
        if self.speech is not None:
            self.speech.add(piece)

    def heard_text(self, ahead_s: float = 0.0) -> str:
        """What of the reply the user has heard; for text-only clients all of it.

        ``ahead_s``: and what will have been in so many seconds; negative: so long ago.
        """
        if self.speech is None:
            return self.text.strip()
        return self.speech.sender.heard_text(self.text, ahead_s)
