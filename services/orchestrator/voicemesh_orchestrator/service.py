"""The orchestrator as a service of the mesh."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

import grpc.aio

from voicemesh.errors import InvalidArgument, NotFound, Superseded, Unavailable, from_detail
from voicemesh.grpc_client import open_channel
from voicemesh.server import Admission, Outbox, Service, ServiceSpec, rpc_errors
from voicemesh.settings import Settings
from voicemesh.v1 import asr_pb2, common_pb2, dialog_pb2, operations_pb2
from voicemesh.v1.asr_pb2_grpc import SpeechRecognizerServiceStub
from voicemesh.v1.dialog_pb2_grpc import (
    DialogServiceServicer,
    add_DialogServiceServicer_to_server,
)
from voicemesh.v1.llm_pb2_grpc import LanguageModelServiceStub
from voicemesh.v1.tts_pb2_grpc import SpeechSynthesizerServiceStub
from voicemesh_orchestrator.clients.converse_stream import ConverseStream
from voicemesh_orchestrator.clients.dialled.robots import Robots
from voicemesh_orchestrator.conversation.conversation import Conversation
from voicemesh_orchestrator.observing.observers import Watch
from voicemesh_orchestrator.observing.recorder import Recorder
from voicemesh_orchestrator.request_checks import TurnRequest
from voicemesh_orchestrator.run_turn import RunTurn
from voicemesh_orchestrator.settings import OrchestratorSettings
from voicemesh_orchestrator.upstream.send_ticks import SendTicks
from voicemesh_orchestrator.upstream.services import Services

Context = grpc.aio.ServicerContext[Any, Any]

_LISTENED = (dialog_pb2.TURN_OUTCOME_COMPLETED, dialog_pb2.TURN_OUTCOME_NOTHING_HEARD)
_NOT_HEARD = Superseded("something else was asked of the robot before anybody was heard")
_RATES = (8_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000)


class _Loaded(NamedTuple):
    """What the service has once it is loaded."""

    services: Services
    robots: Robots


class Orchestrator(Service, DialogServiceServicer):
    """Serves DialogService."""

    name = "orchestrator"
    stage = common_pb2.STAGE_ORCHESTRATOR

    def __init__(self, settings: OrchestratorSettings) -> None:
        """Channels are opened by ``load``."""
        self.settings: OrchestratorSettings = settings
        self.admission = Admission(settings.max_conversations, "conversations")
        self._channels: list[grpc.aio.Channel] = []
        self._live: set[ConverseStream] = set()
        self._controllers: set[Outbox[dialog_pb2.RunTurnResponse]] = set()
        self._loaded: _Loaded | None = None
        self._recorder: Recorder | None = None

    async def load(self) -> None:
        """Open the channels; the services themselves may come up later."""
        if self.settings.recorder.folder:
            self._recorder = Recorder(self.settings)
        asr, llm, tts = self._channels = [
            open_channel(target)
            for target in (
                self.settings.asr_target,
                self.settings.llm_target,
                self.settings.tts_target,
            )
        ]
        services = Services(
            self.settings,
            SpeechRecognizerServiceStub(asr),
            LanguageModelServiceStub(llm),
            SpeechSynthesizerServiceStub(tts),
            SendTicks(self.settings.microphone_coalescing_ms / 1000),
        )
        self._loaded = _Loaded(services, Robots(services))

    @property
    def _ready(self) -> _Loaded:
        """What ``load`` has made; Unavailable before."""
        if self._loaded is None:
            raise Unavailable("orchestrator: it is still loading; ask again in a moment")
        return self._loaded

    def register(self, server: grpc.aio.Server) -> Sequence[str]:
        """Add DialogService."""
        add_DialogServiceServicer_to_server(self, server)
        return [dialog_pb2.DESCRIPTOR.services_by_name["DialogService"].full_name]

    def describe(self, response: operations_pb2.DescribeResponse) -> None:
        """Slots and the rates that conversations may ask for."""
        response.slots.CopyFrom(self.admission.slots())
        response.dialog.CopyFrom(self._capabilities())

    def _capabilities(self) -> dialog_pb2.DialogCapabilities:
        return dialog_pb2.DialogCapabilities(
            sample_rates_hertz=_RATES,
            max_concurrent_conversations=self.settings.max_conversations,
        )

    def _watches(self) -> Sequence[Watch]:
        """Who watches a new conversation."""
        return () if self._recorder is None else (self._recorder.watch,)

    def live_turns(self) -> Sequence[operations_pb2.LiveTurn]:
        """What each conversation is doing."""
        begun = [live.conversation for live in self._live if live.conversation is not None]
        dialled = [] if self._loaded is None else self._loaded.robots.live_turns()
        return [*(conversation.live_turn() for conversation in begun), *dialled]

    # The stubs know stream handlers as generators only; grpc.aio also takes
    # coroutines that write, which lets one task own the writing.
    async def Converse(  # type: ignore[override]
        self, request_iterator: Any, context: Context
    ) -> None:
        """A conversation in both directions at once."""
        async with rpc_errors(context, self.stage):
            live = ConverseStream(self._ready.services, self._capabilities(), self._watches())
            # A client that is refused while it still writes learns from grpc.aio only
            # that the stream broke; so its config is read before it is admitted.
            opening = await live.first(request_iterator)
            with self.admission.slot():
                self._live.add(live)
                try:
                    await live.run(opening, request_iterator, context)
                finally:
                    self._live.discard(live)

    @asynccontextmanager
    async def _on_robot(
        self, request: dialog_pb2.RunTurnRequest | dialog_pb2.ListenOnceRequest
    ) -> AsyncIterator[Conversation[Any]]:
        """The conversation that a controller means, with the robot that is dialled or has."""
        match request.WhichOneof("robot"):
            case "robot_target":
                with self.admission.slot():
                    dialled = self._ready.robots.conversation(
                        request.robot_target, request.language_codes
                    )
                    async with dialled as conversation:
                        yield conversation
            case "conversation_id":
                yield self._live_conversation(request.conversation_id)
            case _:
                raise InvalidArgument(
                    "no robot is named; set robot_target or conversation_id", field="robot"
                )

    def _live_conversation(self, conversation_id: str) -> Conversation[Any]:
        for live in self._live:
            conversation = live.conversation
            if conversation is not None and conversation.conversation_id == conversation_id:
                return conversation
        raise NotFound(
            f"no conversation {conversation_id!r} is open here; ListTurns names those that are",
            field="conversation_id",
        )

    async def ListenOnce(
        self, request: dialog_pb2.ListenOnceRequest, context: Context
    ) -> dialog_pb2.ListenOnceResponse:
        """Have a robot hear one turn."""
        response = dialog_pb2.ListenOnceResponse()

        def take(news: dialog_pb2.RunTurnResponse) -> None:
            event = news.turn_event
            if event.type == asr_pb2.TURN_EVENT_TYPE_END_OF_TURN:
                response.transcript.CopyFrom(event.transcript)

        async with rpc_errors(context, self.stage):
            wanted = TurnRequest(no_speech_ms=request.no_speech_timeout_ms, wants_answer=False)
            async with self._on_robot(request) as conversation:
                ended = await RunTurn(conversation, self.settings, take).run(wanted)
            if ended.outcome not in _LISTENED:
                raise from_detail(ended.error) if ended.HasField("error") else _NOT_HEARD
        return response

    async def RunTurn(  # type: ignore[override]  # As above.
        self, request: dialog_pb2.RunTurnRequest, context: Context
    ) -> None:
        """One whole turn on a robot."""
        async with rpc_errors(context, self.stage):
            wanted = TurnRequest(
                request.text,
                request.no_speech_timeout_ms,
                say=request.say,
                say_only=request.say_only,
                policy=request.interruption_policy,
            )
            async with Outbox(context, service="orchestrator") as outbox:
                self._controllers.add(outbox)
                try:
                    async with self._on_robot(request) as conversation:
                        turn = RunTurn(conversation, self.settings, outbox.send)
                        await turn.run(wanted)
                finally:
                    self._controllers.discard(outbox)

    async def drain(self, notice: common_pb2.DrainNotice) -> None:
        """Tell every client."""
        for live in self._live:
            live.notify(notice)
        for controller in self._controllers:
            controller.send(dialog_pb2.RunTurnResponse(drain=notice))

    async def close(self) -> None:
        """Close the channels; let the recorder write to its end."""
        for channel in self._channels:
            await channel.close()
        if self._recorder is not None:
            await asyncio.to_thread(self._recorder.close)


def _make(settings: Settings) -> Orchestrator:
    return Orchestrator(settings.section("orchestrator", OrchestratorSettings))


SPEC = ServiceSpec(
    "orchestrator",
    "sequences listen, ASR, LLM and TTS",
    _make,
    front=True,
    dials={
        "asr": "orchestrator.asr_target",
        "llm": "orchestrator.llm_target",
        "tts": "orchestrator.tts_target",
    },
)
