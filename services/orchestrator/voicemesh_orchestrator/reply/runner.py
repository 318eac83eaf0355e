"""Runs the reply of the turn that is being answered: one at a time, with an apology if it fails.

A reply may be begun before its turn is over. It is then held until ``commit``, or
thrown away without a trace by ``discard``.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from voicemesh import logs
from voicemesh.aio import TaskSet, cancel_and_wait
from voicemesh.errors import InternalError, Unsupported, VoiceMeshError
from voicemesh.v1 import common_pb2, dialog_pb2, llm_pb2
from voicemesh_orchestrator import metrics
from voicemesh_orchestrator.history import History
from voicemesh_orchestrator.plan import ConversationPlan
from voicemesh_orchestrator.reply.apology import apology_for, play_apology
from voicemesh_orchestrator.reply.events import ReplyEvents
from voicemesh_orchestrator.reply.outgoing import Outgoing
from voicemesh_orchestrator.reply.paced_sender import PacedSender
from voicemesh_orchestrator.reply.reply import Reply, ReplyContext
from voicemesh_orchestrator.reply.speech import ReplySpeech
from voicemesh_orchestrator.reply.timeline import Timeline
from voicemesh_orchestrator.reply.turn_record import TurnRecord
from voicemesh_orchestrator.upstream.services import Services

log = logging.getLogger(__name__)

Event = dialog_pb2.ConverseResponse


class ReplyRunner:
    """Starts, holds, stops and replaces the replies of one conversation."""

    def __init__(
        self,
        conversation_id: str,
        plan: ConversationPlan,
        services: Services,
        outgoing: Outgoing,
        events: ReplyEvents,
    ) -> None:
        """``outgoing`` is sent what replies are made of; ``events`` hear how they go."""
        self._conversation_id = conversation_id
        self._plan = plan
        self._settings = services.settings
        self._outgoing = outgoing
        self._events = events
        self._tasks = TaskSet()
        self._closing = TaskSet()
        self._running: asyncio.Task[None] | None = None
        self._held: Reply | None = None
        self._discarded: Reply | None = None
        self.synthesis = services.synthesis(plan)
        """The stream that speaks the replies; None for clients that want text only."""
        self.speculates = self._settings.eager.enabled
        """Whether replies may be begun early; no longer once the model has refused to."""
        self._context = ReplyContext(
            conversation_id, self._settings, services, outgoing, self._closing
        )

    def start(self, stamp: common_pb2.Stamp, turn: TurnRecord, history: History) -> None:
        """Answer ``turn.question``; the reply before it has been stopped."""
        turn.commit(self._begin(stamp, history, turn.question, speculative=False, turn=turn))

    def speak(self, stamp: common_pb2.Stamp, turn: TurnRecord, text: str) -> None:
        """Speak ``text``, which nobody has asked for."""
        reply = self._new_reply(stamp, Timeline())
        turn.commit(reply)
        self._running = self._tasks.start(self._run(reply, text, self._running), "speak")

    def speculate(
        self, stamp: common_pb2.Stamp, turn: TurnRecord, history: History, question: str
    ) -> None:
        """Begin to answer ``question`` although the turn may not be over."""
        self._held = self._begin(stamp, history, question, speculative=True, turn=turn)

    def commit(self, stamp: common_pb2.Stamp, turn: TurnRecord) -> None:
        """The turn is over, and what was begun under ``stamp`` is its answer."""
        reply = self._take_held(stamp)
        metrics.EAGER_REPLIES.labels("used").inc()
        turn.commit(reply)

    def discard(self, stamp: common_pb2.Stamp, reason: str) -> None:
        """What was begun under ``stamp`` is of no use."""
        reply = self._take_held(stamp)
        metrics.EAGER_REPLIES.labels(reason).inc()
        reply.waste()
        self._discarded = reply
        self.stop(stamp, reason)

    def _take_held(self, stamp: common_pb2.Stamp) -> Reply:
        reply, self._held = self._held, None
        if reply is None or reply.stamp != stamp:
            raise InternalError("orchestrator: the reply that was begun early is not the one meant")
        return reply

    def _begin(
        self,
        stamp: common_pb2.Stamp,
        history: History,
        question: str,
        speculative: bool,
        turn: TurnRecord,
    ) -> Reply:
        timeline = Timeline()
        timeline.reach("question")
        reply = self._new_reply(stamp, timeline)
        request = llm_pb2.GenerationRequest(
            conversation_id=self._conversation_id,
            messages=history.messages(self._plan.system_prompt, question),
            speculative=speculative,
            priority=llm_pb2.PRIORITY_BACKGROUND if speculative else llm_pb2.PRIORITY_INTERACTIVE,
            facts=self._plan.facts,
        )

        def again() -> None:
            self.start(stamp, turn, history)

        self._running = self._tasks.start(
            self._run(reply, request, self._running, again if speculative else None), "reply"
        )
        return reply

    def _new_reply(self, stamp: common_pb2.Stamp, timeline: Timeline) -> Reply:
        speech = None
        if self.synthesis is not None:
            audio_s = self._settings.deadlines.audio_s
            sender = self._new_sender(stamp)
            speech = ReplySpeech(stamp, self._conversation_id, self.synthesis, sender, audio_s)
        return Reply(self._context, stamp, timeline, speech)

    def _new_sender(self, stamp: common_pb2.Stamp) -> PacedSender:
        ahead_ms = self._settings.synthesis_ahead_ms
        return PacedSender(stamp, self._plan, ahead_ms, self._outgoing, self._events)

    async def _run(
        self,
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
        with logs.bind(self._conversation_id, reply.stamp):
            try:
                await reply.run(asked)
            except VoiceMeshError as error:
                self._failed(reply, error, again)
            except Exception:
                log.exception("a reply failed unexpectedly")
                text = "orchestrator: internal error; its log has the details"
                self._failed(reply, InternalError(text), again)
            else:
                self._events.reply_done(reply.stamp, dialog_pb2.TURN_OUTCOME_COMPLETED)

    def _failed(
        self, reply: Reply, error: VoiceMeshError, again: Callable[[], None] | None
    ) -> None:
        """Nobody has noticed a failure before the end of the turn, or before the first word."""
        error.stage = error.stage or common_pb2.STAGE_ORCHESTRATOR
        if not reply.committed:
            log.info("what was begun before the end of the turn failed: %s", error)
            if isinstance(error, Unsupported):
                self.speculates = False
            self._events.speculation_failed(reply.stamp)
        elif again is not None and not reply.text:
            log.info("what was begun early failed and is begun again: %s", error)
            again()
        else:
            log.warning("the turn failed: %s", error)
            self._events.reply_failed(reply.stamp, error)

    def hold(self, stamp: common_pb2.Stamp, turn: TurnRecord, duck: bool) -> None:
        """Have the client pause the reply, or play it more quietly."""
        if duck:
            ducked = dialog_pb2.ReplyDucked(volume=self._settings.floor.duck_volume)
            self._outgoing.send_reply(stamp, Event(reply_ducked=ducked))
            return
        if turn.sender is not None:
            turn.sender.hold()
        paused = dialog_pb2.ReplyPaused(reason="speech")
        self._outgoing.send_reply(stamp, Event(reply_paused=paused))

    def resume(self, stamp: common_pb2.Stamp, turn: TurnRecord, reason: str) -> None:
        """Have the client go on where the reply was held."""
        log.info("the reply goes on: %s", reason)
        if turn.sender is not None:
            turn.sender.release()
        resumed = dialog_pb2.ReplyResumed(reason=reason)
        self._outgoing.send_reply(stamp, Event(reply_resumed=resumed))

    def stop(self, stamp: common_pb2.Stamp, reason: str) -> None:
        """Stop the reply of ``stamp``."""
        if self.synthesis is not None:
            self.synthesis.stop(stamp, reason)
        if self._running is not None and self._running is not asyncio.current_task():
            self._running.cancel()

    def apologise(self, stamp: common_pb2.Stamp, turn: TurnRecord) -> None:
        """Speak of what went wrong, after what has been sent of the reply."""
        if self.synthesis is not None:
            self.synthesis.stop(stamp, "error")
        self._running = self._tasks.start(self._apologise(stamp, turn), "apology")

    async def _apologise(self, stamp: common_pb2.Stamp, turn: TurnRecord) -> None:
        if self.synthesis is not None and turn.sender is None:
            turn.sender = self._new_sender(stamp)
        plan = self._plan
        clip = apology_for(turn.error, plan.language_codes, turn.question, plan.reply_rate_hertz)
        begin = len(turn.reply.text) if turn.reply is not None else 0
        await play_apology(clip, stamp, begin, turn.sender, self._outgoing)
        self._events.reply_done(stamp, dialog_pb2.TURN_OUTCOME_FAILED)

    async def close(self) -> None:
        """Stop what runs; generations that were cancelled say good-bye first."""
        await self._tasks.close()
        await self._closing.finish()
        if self.synthesis is not None:
            await self.synthesis.close()
