"""Runs the reply of the turn that is being answered: one at a time, with an apology if it fails."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Protocol

from voicemesh import logs
from voicemesh.aio import TaskSet, cancel_and_wait
from voicemesh.errors import InternalError, VoiceMeshError
from voicemesh.v1 import common_pb2, dialog_pb2, llm_pb2
from voicemesh_orchestrator.apology import apology
from voicemesh_orchestrator.early_stream import EarlyStream
from voicemesh_orchestrator.history import History
from voicemesh_orchestrator.reply import Reply, ReplyContext
from voicemesh_orchestrator.settings import OrchestratorSettings
from voicemesh_orchestrator.synthesis import Synthesis
from voicemesh_orchestrator.turn_record import TurnRecord
from voicemesh_orchestrator.voice import Voice

if TYPE_CHECKING:  # The stubs' asynchronous types exist for type checkers only.
    from voicemesh.v1.llm_pb2_grpc import LanguageModelServiceAsyncStub

log = logging.getLogger(__name__)

_APOLOGY_CHUNK_S = 0.2
_BREATH_S = 0.3
_DEFAULT_RATE_HERTZ = 16_000

Event = dialog_pb2.ConverseResponse


class Asker(Protocol):
    """The conversation that a reply belongs to."""

    def tell(self, stamp: common_pb2.Stamp, event: Event) -> None:
        """Send something of a reply to the client, unless it is no longer wanted."""

    def reply_audible(self, stamp: common_pb2.Stamp) -> None:
        """The first audio of the reply goes to the client."""

    def reply_done(
        self, stamp: common_pb2.Stamp, outcome: dialog_pb2.TurnOutcome.ValueType
    ) -> None:
        """The reply (or the apology) has been played to its end."""

    def reply_failed(self, stamp: common_pb2.Stamp, error: VoiceMeshError) -> None:
        """A stage of the reply has failed."""


class Answering:
    """Starts, stops and replaces replies."""

    def __init__(
        self,
        conversation_id: str,
        config: dialog_pb2.ConverseConfig,
        settings: OrchestratorSettings,
        llm: LanguageModelServiceAsyncStub,
        synthesis: Synthesis | None,
        asker: Asker,
    ) -> None:
        """``synthesis`` is None for clients that want text only."""
        self._conversation_id = conversation_id
        self._config = config
        self._settings = settings
        self._synthesis = synthesis
        self._asker = asker
        self._tasks = TaskSet()
        self._closing = TaskSet()
        self._running: asyncio.Task[None] | None = None
        self._streams = EarlyStream(llm, self._closing)
        self._context = ReplyContext(
            settings=settings,
            conversation_id=conversation_id,
            llm=self._streams,
            synthesis=synthesis,
            closing=self._closing,
            tell=asker.tell,
        )

    def prepare(self) -> None:
        """A question is likely to come soon."""
        self._streams.open()

    def start(self, stamp: common_pb2.Stamp, turn: TurnRecord, history: History) -> None:
        """Answer ``turn.question``; the reply before it has been stopped."""
        turn.timeline.reach("question")
        turn.voice = self._new_voice(stamp, turn)
        turn.reply = Reply(self._context, stamp, turn.timeline, turn.voice)
        request = llm_pb2.GenerationRequest(
            conversation_id=self._conversation_id,
            messages=history.messages(self._config.system_prompt, turn.question),
            priority=llm_pb2.PRIORITY_INTERACTIVE,
            facts=dict(self._config.facts),
        )
        self._running = self._tasks.start(
            self._run(stamp, turn.reply, request, self._running), "reply"
        )

    def _new_voice(self, stamp: common_pb2.Stamp, turn: TurnRecord) -> Voice | None:
        if self._synthesis is None:
            return None
        lead_ms = self._config.reply_lead_ms or self._settings.reply_lead_ms
        ahead_ms = max(lead_ms, self._settings.synthesis_ahead_ms)

        def send(audio: dialog_pb2.ReplyAudio) -> None:
            if turn.timeline.since_origin("first_audio_sent") is None:
                turn.timeline.reach("first_audio_sent")
                self._asker.reply_audible(stamp)
            self._asker.tell(stamp, Event(reply_audio=audio))

        return Voice(self._config.output_format.sample_rate_hertz, lead_ms, ahead_ms, send)

    async def _run(
        self,
        stamp: common_pb2.Stamp,
        reply: Reply,
        request: llm_pb2.GenerationRequest,
        previous: asyncio.Task[None] | None,
    ) -> None:
        await cancel_and_wait(previous)
        with logs.bind(self._conversation_id, stamp):
            try:
                await reply.run(request)
            except VoiceMeshError as error:
                log.warning("the turn failed: %s", error)
                error.stage = error.stage or common_pb2.STAGE_ORCHESTRATOR
                self._asker.reply_failed(stamp, error)
            except Exception:
                log.exception("a reply failed unexpectedly")
                text = "orchestrator: internal error; its log has the details"
                ours = InternalError(text, stage=common_pb2.STAGE_ORCHESTRATOR)
                self._asker.reply_failed(stamp, ours)
            else:
                self._asker.reply_done(stamp, dialog_pb2.TURN_OUTCOME_COMPLETED)

    def stop(self, stamp: common_pb2.Stamp, reason: str) -> None:
        """Stop the reply of ``stamp``."""
        if self._synthesis is not None:
            self._synthesis.stop(stamp, reason)
        if self._running is not None and self._running is not asyncio.current_task():
            self._running.cancel()

    def apologise(self, stamp: common_pb2.Stamp, turn: TurnRecord) -> None:
        """Say that something went wrong, after what has been sent of the reply."""
        if self._synthesis is not None:
            self._synthesis.stop(stamp, "error")
        self._running = self._tasks.start(self._play_apology(stamp, turn), "apology")

    async def _play_apology(self, stamp: common_pb2.Stamp, turn: TurnRecord) -> None:
        languages = self._config.language_codes
        language = languages[0] if languages else _language_of(turn.question)
        rate = self._config.output_format.sample_rate_hertz or _DEFAULT_RATE_HERTZ
        clip = apology(language, rate)
        begin = len(turn.reply.text) if turn.reply is not None else 0
        text = dialog_pb2.ReplyText(text=clip.text, first_char=begin)
        self._asker.tell(stamp, Event(reply_text=text))
        if turn.voice is None:
            turn.voice = self._new_voice(stamp, turn)
        if turn.voice is not None:
            turn.voice.drop_waiting()
            span = common_pb2.TextSpan(begin_char=begin, end_char=begin + len(clip.text))
            # A breath after what was broken off, so that the two do not run together.
            breath = bytes(int(rate * _BREATH_S) * 2) if turn.voice.sent_samples else b""
            audio = breath + clip.audio
            step = int(rate * _APOLOGY_CHUNK_S) * 2
            for first in range(0, len(audio), step):
                turn.voice.add(audio[first : first + step], span)
            turn.voice.complete()
            await turn.voice.send_all()
            self._tell_end(stamp, begin + len(clip.text), turn.voice.sent_samples)
            await turn.voice.played_out()
        else:
            self._tell_end(stamp, begin + len(clip.text), 0)
        self._asker.reply_done(stamp, dialog_pb2.TURN_OUTCOME_FAILED)

    def _tell_end(self, stamp: common_pb2.Stamp, chars: int, samples: int) -> None:
        ended = dialog_pb2.ReplyEnded(char_count=chars, sample_count=samples)
        self._asker.tell(stamp, Event(reply_ended=ended))

    async def close(self) -> None:
        """Stop what runs; generations that were cancelled say good-bye first."""
        await self._tasks.close()
        self._streams.discard()
        await self._closing.finish()


def _language_of(text: str) -> str:
    """The language of an apology where the conversation names none."""
    return "zh" if any("\u4e00" <= char <= "\u9fff" for char in text) else "en"
