"""Runs the reply of the turn that is being answered: one at a time, with an apology if it fails.

A reply may be begun before its turn is over. It is then held until ``commit``, or
thrown away without a trace by ``discard``.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from voicemesh import logs
from voicemesh.aio import TaskSet, cancel_and_wait
from voicemesh.errors import InternalError, Unsupported, VoiceMeshError
from voicemesh.v1 import common_pb2, dialog_pb2, llm_pb2
from voicemesh_orchestrator import metrics
from voicemesh_orchestrator.history import History
from voicemesh_orchestrator.reply.apology import apology
from voicemesh_orchestrator.reply.paced_sender import PacedSender
from voicemesh_orchestrator.reply.reply import Reply, ReplyContext
from voicemesh_orchestrator.reply.timeline import Timeline
from voicemesh_orchestrator.reply.turn_record import TurnRecord
from voicemesh_orchestrator.settings import OrchestratorSettings
from voicemesh_orchestrator.upstream.synthesis import Synthesis

if TYPE_CHECKING:  # The stubs' asynchronous types exist for type checkers only.
    from voicemesh.v1.llm_pb2_grpc import LanguageModelServiceAsyncStub

log = logging.getLogger(__name__)

_APOLOGY_CHUNK_S = 0.2
_BREATH_S = 0.3
_DEFAULT_RATE_HERTZ = 16_000

Event = dialog_pb2.ConverseResponse


class ReplyEvents(Protocol):
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

    def speculation_failed(self, stamp: common_pb2.Stamp) -> None:
        """What was begun before the turn is over has failed; nobody has noticed."""


@dataclass
class _Begun:
    """A reply that is under way, and what carries it."""

    stamp: common_pb2.Stamp
    reply: Reply
    voice: PacedSender | None


class ReplyRunner:
    """Starts, stops and replaces replies."""

    def __init__(
        self,
        conversation_id: str,
        config: dialog_pb2.ConverseConfig,
        settings: OrchestratorSettings,
        llm: LanguageModelServiceAsyncStub,
        synthesis: Synthesis | None,
        asker: ReplyEvents,
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
        self._held: _Begun | None = None
        self._discarded: Reply | None = None
        self.speculates = settings.eager.enabled
        """Whether replies may be begun early; no longer once the model has refused to."""
        self._context = ReplyContext(
            settings=settings,
            conversation_id=conversation_id,
            llm=llm,
            synthesis=synthesis,
            closing=self._closing,
            tell=asker.tell,
        )

    def start(self, stamp: common_pb2.Stamp, turn: TurnRecord, history: History) -> None:
        """Answer ``turn.question``; the reply before it has been stopped."""
        begun = self._begin(stamp, turn, history, turn.question, speculative=False)
        begun.reply.commit(turn.timeline)
        turn.reply, turn.voice = begun.reply, begun.voice

    def say(self, stamp: common_pb2.Stamp, turn: TurnRecord, text: str) -> None:
        """Say ``text``, which nobody has asked for."""
        timeline = Timeline()
        turn.voice = self._new_voice(stamp, turn)
        turn.reply = Reply(self._context, stamp, timeline, turn.voice)
        turn.reply.commit(turn.timeline)
        self._running = self._tasks.start(self._run(stamp, turn.reply, text, self._running), "say")

    def speculate(
        self, stamp: common_pb2.Stamp, turn: TurnRecord, history: History, question: str
    ) -> None:
        """Begin to answer ``question`` although the turn may not be over."""
        self._held = self._begin(stamp, turn, history, question, speculative=True)

    def commit(self, stamp: common_pb2.Stamp, turn: TurnRecord) -> None:
        """The turn is over, and what was begun under ``stamp`` is its answer."""
        begun, self._held = self._held, None
        assert begun is not None
        assert begun.stamp == stamp
        metrics.EAGER_REPLIES.labels("used").inc()
        turn.reply, turn.voice = begun.reply, begun.voice
        begun.reply.commit(turn.timeline)

    def discard(self, stamp: common_pb2.Stamp, reason: str) -> None:
        """What was begun under ``stamp`` is of no use."""
        begun, self._held = self._held, None
        assert begun is not None
        assert begun.stamp == stamp
        metrics.EAGER_REPLIES.labels(reason).inc()
        begun.reply.waste()
        self._discarded = begun.reply
        self.stop(stamp, reason)

    def _begin(
        self,
        stamp: common_pb2.Stamp,
        turn: TurnRecord,
        history: History,
        question: str,
        speculative: bool,
    ) -> _Begun:
        timeline = Timeline()
        timeline.reach("question")
        voice = self._new_voice(stamp, turn)
        reply = Reply(self._context, stamp, timeline, voice)
        request = llm_pb2.GenerationRequest(
            conversation_id=self._conversation_id,
            messages=history.messages(self._config.system_prompt, question),
            speculative=speculative,
            priority=llm_pb2.PRIORITY_BACKGROUND if speculative else llm_pb2.PRIORITY_INTERACTIVE,
            facts=dict(self._config.facts),
        )

        def again() -> None:
            self.start(stamp, turn, history)

        self._running = self._tasks.start(
            self._run(stamp, reply, request, self._running, again if speculative else None),
            "reply",
        )
        return _Begun(stamp, reply, voice)

    def _new_voice(self, stamp: common_pb2.Stamp, turn: TurnRecord) -> PacedSender | None:
        if self._synthesis is None:
            return None
        lead_ms = self._config.reply_lead_ms or self._settings.reply_lead_ms
        ahead_ms = max(lead_ms, self._settings.synthesis_ahead_ms)

        def send(audio: dialog_pb2.ReplyAudio) -> None:
            if turn.timeline.since_origin("first_audio_sent") is None:
                turn.timeline.reach("first_audio_sent")
                self._asker.reply_audible(stamp)
            self._asker.tell(stamp, Event(reply_audio=audio))

        return PacedSender(
            self._config.output_format.sample_rate_hertz,
            lead_ms,
            ahead_ms,
            send,
            reports=self._config.reports_playback,
        )

    async def _run(
        self,
        stamp: common_pb2.Stamp,
        reply: Reply,
        asked: llm_pb2.GenerationRequest | str,
        previous: asyncio.Task[None] | None,
        again: Callable[[], None] | None = None,
    ) -> None:
        """``again`` asks anew where early work was refused just when the turn had ended."""
        await cancel_and_wait(previous)
        discarded, self._discarded = self._discarded, None
        asks = isinstance(asked, llm_pb2.GenerationRequest)
        if asks and discarded is not None and discarded.goodbye is not None:
            await asyncio.wait({discarded.goodbye})  # Its place at the model is needed.
        with logs.bind(self._conversation_id, stamp):
            try:
                await reply.run(asked)
            except VoiceMeshError as error:
                self._failed(stamp, reply, error, again)
            except Exception:
                log.exception("a reply failed unexpectedly")
                text = "orchestrator: internal error; its log has the details"
                self._failed(stamp, reply, InternalError(text), again)
            else:
                self._asker.reply_done(stamp, dialog_pb2.TURN_OUTCOME_COMPLETED)

    def _failed(
        self,
        stamp: common_pb2.Stamp,
        reply: Reply,
        error: VoiceMeshError,
        again: Callable[[], None] | None,
    ) -> None:
        """Nobody has noticed a failure before the end of the turn, or before the first word."""
        error.stage = error.stage or common_pb2.STAGE_ORCHESTRATOR
        if not reply.committed:
            log.info("what was begun before the end of the turn failed: %s", error)
            if isinstance(error, Unsupported):
                self.speculates = False
            self._asker.speculation_failed(stamp)
        elif again is not None and not reply.text:
            log.info("what was begun early failed and is begun again: %s", error)
            again()
        else:
            log.warning("the turn failed: %s", error)
            self._asker.reply_failed(stamp, error)

    def hold(self, stamp: common_pb2.Stamp, turn: TurnRecord, duck: bool) -> None:
        """Have the client pause the reply, or play it more quietly."""
        if duck:
            ducked = dialog_pb2.ReplyDucked(volume=self._settings.floor.duck_volume)
            self._asker.tell(stamp, Event(reply_ducked=ducked))
            return
        if turn.voice is not None:
            turn.voice.hold()
        self._asker.tell(stamp, Event(reply_paused=dialog_pb2.ReplyPaused(reason="speech")))

    def resume(self, stamp: common_pb2.Stamp, turn: TurnRecord, reason: str) -> None:
        """Have the client go on where the reply was held."""
        log.info("the reply goes on: %s", reason)
        if turn.voice is not None:
            turn.voice.release()
        self._asker.tell(stamp, Event(reply_resumed=dialog_pb2.ReplyResumed(reason=reason)))

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
        await self._closing.finish()


def _language_of(text: str) -> str:
    """The language of an apology where the conversation names none."""
    return "zh" if any("\u4e00" <= char <= "\u9fff" for char in text) else "en"
