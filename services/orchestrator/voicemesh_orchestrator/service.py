"""The orchestrator as a service of the mesh."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import grpc.aio

from voicemesh.channels import open_channel
from voicemesh.errors import Unsupported
from voicemesh.server import Admission, Service, ServiceSpec, rpc_errors
from voicemesh.settings import Settings
from voicemesh.v1 import common_pb2, dialog_pb2, operations_pb2
from voicemesh.v1.asr_pb2_grpc import SpeechRecognizerServiceStub
from voicemesh.v1.dialog_pb2_grpc import (
    DialogServiceServicer,
    add_DialogServiceServicer_to_server,
)
from voicemesh.v1.llm_pb2_grpc import LanguageModelServiceStub
from voicemesh.v1.tts_pb2_grpc import SpeechSynthesizerServiceStub
from voicemesh_orchestrator.converse import Converse, Stubs
from voicemesh_orchestrator.settings import OrchestratorSettings

Context = grpc.aio.ServicerContext[Any, Any]

_NO_LISTENER = Unsupported(
    "turns on a robot's listener are not offered by this version; use Converse", field="robot"
)

_RATES = (8_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000)


class Orchestrator(Service, DialogServiceServicer):
    """Serves DialogService."""

    name = "orchestrator"
    stage = common_pb2.STAGE_ORCHESTRATOR

    def __init__(self, settings: OrchestratorSettings) -> None:
        """Channels are opened by ``load``."""
        self.settings: OrchestratorSettings = settings
        self.admission = Admission(settings.max_conversations, "conversations")
        self._channels: list[grpc.aio.Channel] = []
        self._live: set[Converse] = set()
        self._stubs: Stubs

    async def load(self) -> None:
        """Open the channels; the services themselves may come up later."""
        asr, llm, tts = self._channels = [
            open_channel(target)
            for target in (
                self.settings.asr_target,
                self.settings.llm_target,
                self.settings.tts_target,
            )
        ]
        self._stubs = Stubs(
            SpeechRecognizerServiceStub(asr),
            LanguageModelServiceStub(llm),
            SpeechSynthesizerServiceStub(tts),
        )

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

    def live_turns(self) -> Sequence[operations_pb2.LiveTurn]:
        """What each conversation is doing."""
        return [live.turn() for live in self._live if live.started]

    # The stubs know stream handlers as generators only; grpc.aio also takes
    # coroutines that write, which lets one task own the writing.
    async def Converse(  # type: ignore[override]
        self, request_iterator: Any, context: Context
    ) -> None:
        """A conversation in both directions at once."""
        async with rpc_errors(context, self.stage):
            with self.admission.slot():
                live = Converse(self.settings, self._stubs, self._capabilities())
                self._live.add(live)
                try:
                    await live.run(request_iterator, context)
                finally:
                    self._live.discard(live)

    async def ListenOnce(
        self, request: dialog_pb2.ListenOnceRequest, context: Context
    ) -> dialog_pb2.ListenOnceResponse:
        """Refused: this version has no listener to trigger."""
        async with rpc_errors(context, self.stage):
            raise _NO_LISTENER
        raise AssertionError("refused above")

    async def RunTurn(  # type: ignore[override]
        self, request: dialog_pb2.RunTurnRequest, context: Context
    ) -> None:
        """Refused: this version has no listener to trigger."""
        async with rpc_errors(context, self.stage):
            raise _NO_LISTENER

    async def drain(self, notice: common_pb2.DrainNotice) -> None:
        """Tell every client."""
        for live in self._live:
            live.notify(notice)

    async def close(self) -> None:
        """Close the channels."""
        for channel in self._channels:
            await channel.close()


def _make(settings: Settings) -> Orchestrator:
    return Orchestrator(settings.section("orchestrator", OrchestratorSettings))


SPEC = ServiceSpec("orchestrator", "sequences listen, ASR, LLM and TTS", _make)
