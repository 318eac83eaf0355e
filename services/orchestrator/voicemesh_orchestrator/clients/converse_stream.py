"""The Converse stream: from the client's config to the end of its conversation."""

from __future__ import annotations

import asyncio
import logging
import time
import uuid
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from functools import partial
from typing import Any, NamedTuple

import grpc.aio

from voicemesh import logs
from voicemesh.aio import SilenceLimit, TaskSet, uninterrupted
from voicemesh.errors import Busy, DeadlineExceeded, ProtocolViolation
from voicemesh.heartbeats import HeartbeatCounter
from voicemesh.sample_clock import SampleClock
from voicemesh.server import Outbox
from voicemesh.v1 import common_pb2, dialog_pb2
from voicemesh_orchestrator import metrics
from voicemesh_orchestrator.clients.converse_client import ConverseClient
from voicemesh_orchestrator.clients.converse_requests import ConverseRequests, OpenMicrophone
from voicemesh_orchestrator.conversation.conversation import Conversation
from voicemesh_orchestrator.history import History, Memory
from voicemesh_orchestrator.observing.observers import Observers, Watch
from voicemesh_orchestrator.plan import ConversationPlan, plan_conversation
from voicemesh_orchestrator.upstream.services import Services

log = logging.getLogger(__name__)

_HEARTBEAT_S = 2.0  # Clients give up after some seconds without one.
_EPOCH = 1  # Nobody else has owned a conversation that is new.

Request = dialog_pb2.ConverseRequest
Response = dialog_pb2.ConverseResponse


class Opening(NamedTuple):
    """The first message of a stream, and what it comes to."""

    config: dialog_pb2.ConverseConfig
    plan: ConversationPlan


class ConverseStream:
    """Serves one client."""

    def __init__(
        self,
        services: Services,
        capabilities: dialog_pb2.DialogCapabilities,
        watches: Sequence[Watch] = (),
    ) -> None:
        """Nothing is opened before ``run``. ``watches`` give the observers of it."""
        self._services = services
        self._settings = services.settings
        self._capabilities = capabilities
        self._observers = Observers(watches)
        self._conversation_id = uuid.uuid4().hex[:12]
        self._tasks = TaskSet()
        self.conversation: Conversation[ConverseClient] | None = None
        """The conversation, from when it has begun until its client leaves."""

    def notify(self, notice: common_pb2.DrainNotice) -> None:
        """Tell the client that this process will stop."""
        if self.conversation is not None:
            drain = Response(stamp=self.conversation.stamp, drain=notice)
            self.conversation.client.send(drain)

    async def first(self, requests: AsyncIterator[Request]) -> Opening:
        """The config that begins the stream, checked."""
        async with self._patience():
            first = await anext(requests, None)
        if first is None or first.WhichOneof("converse_request") != "config":
            raise ProtocolViolation("the first message must carry config", field="converse_request")
        plan = plan_conversation(self._conversation_id, first.config, self._settings)
        return Opening(first.config, plan)

    async def run(
        self,
        opening: Opening,
        requests: AsyncIterator[Request],
        context: grpc.aio.ServicerContext[Any, Response],
    ) -> None:
        """Serve the rest of the stream until the client ends it or goes away."""
        conversations = metrics.CONVERSATIONS
        with logs.bind(self._conversation_id), conversations.track_inprogress(), self._observers:
            async with Outbox(context, service="orchestrator") as outbox:
                answer_s = self._settings.deadlines.robot_answer_s
                history = History(self._settings.max_exchanges)
                conversation = Conversation(
                    Memory(self._conversation_id, history, common_pb2.Stamp(epoch=_EPOCH)),
                    opening.plan,
                    self._services,
                    partial(ConverseClient, opening.plan, outbox, self._observers, answer_s),
                )
                signs = TaskSet()
                try:
                    microphone = await self._open(opening, conversation)
                    signs.start(self._signs_of_life(conversation, outbox), "signs of life")
                    log.info("conversation begins")
                    taker = ConverseRequests(conversation, microphone, self._observers, self._tasks)
                    await self._take_all(requests, taker)
                finally:
                    self.conversation = None  # Nobody finds it any more.
                    conversation.client.commands.close()
                    try:
                        await uninterrupted(self._close(conversation, signs), "close conversation")
                    finally:  # A client that is gone cancels meanwhile.
                        log.info("conversation ends")

    async def _close(self, conversation: Conversation[ConverseClient], signs: TaskSet) -> None:
        await signs.close()
        await conversation.close()
        await self._tasks.close()

    async def _open(
        self, opening: Opening, conversation: Conversation[ConverseClient]
    ) -> OpenMicrophone | None:
        """Open recognition and synthesis; a service that refuses refuses the conversation."""
        plan, microphone = opening.plan, None
        if plan.microphone_rate_hertz:
            sound = await conversation.user_turns.open_recognition(
                plan.recognition, common_pb2.Stamp()
            )
            self._capabilities.heard_languages.extend(sound.languages)
            microphone = OpenMicrophone(SampleClock(plan.microphone_rate_hertz), sound)
        if conversation.synthesis is not None:
            await conversation.synthesis.ensure_open()
            spoken = conversation.synthesis.capabilities.languages
            self._capabilities.spoken_languages.extend(spoken)
        self.conversation = conversation
        self._observers.begin(self._conversation_id, opening.config)
        started = dialog_pb2.ConversationStarted(
            conversation_id=self._conversation_id,
            capabilities=self._capabilities,
            reply_lead_ms=plan.reply_lead_ms,
            recorded=self._observers.keep,
        )
        conversation.client.send(Response(stamp=conversation.stamp, started=started))
        conversation.begin()
        return microphone

    async def _signs_of_life(
        self, conversation: Conversation[ConverseClient], outbox: Outbox[Response]
    ) -> None:
        """Heartbeats: whoever gets none any more knows that this process is stuck."""
        heartbeats = HeartbeatCounter()
        while True:
            await asyncio.sleep(_HEARTBEAT_S)
            beat = heartbeats.next(time.monotonic())
            with suppress(Busy):  # A client that does not read ends by itself.
                outbox.send(Response(stamp=conversation.stamp, heartbeat=beat))

    async def _take_all(self, requests: AsyncIterator[Request], taker: ConverseRequests) -> None:
        """Take requests until the client says good-bye, half-closes or is gone."""
        async with self._patience() as limit:
            async for request in requests:
                limit.heard()
                if request.WhichOneof("converse_request") == "end":
                    self._observers.heard(request)
                    return
                await taker.take(request)

    @asynccontextmanager
    async def _patience(self) -> AsyncIterator[SilenceLimit]:
        """An error when the client is silent for too long."""
        limit = SilenceLimit(self._settings.deadlines.client_silence_s)
        try:
            async with limit:
                yield limit
        except TimeoutError:
            if not limit.expired:
                raise
            raise DeadlineExceeded(
                f"nothing came from the client for {self._settings.deadlines.client_silence_s:g} "
                "s; send audio, silence or heartbeats"
            ) from None
