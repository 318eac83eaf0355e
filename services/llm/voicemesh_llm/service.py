"""The language model service: what the server chassis runs."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

import grpc.aio

from voicemesh.devices import watch_for
from voicemesh.engine_choices import meant_engine
from voicemesh.server import Admission, Outbox, Service, ServiceSpec, rpc_errors
from voicemesh.settings import Settings, engine_config
from voicemesh.v1 import common_pb2, llm_pb2, operations_pb2
from voicemesh.v1.llm_pb2_grpc import (
    LanguageModelServiceServicer,
    add_LanguageModelServiceServicer_to_server,
)
from voicemesh_llm.engines.engine import LanguageModel
from voicemesh_llm.generation_stream import GenerationStream, first_request
from voicemesh_llm.prompting.request import read_request
from voicemesh_llm.prompting.reset_phrases import ResetPhrases
from voicemesh_llm.settings import ENGINE_GROUP, LanguageModelSettings

Context = grpc.aio.ServicerContext[llm_pb2.GenerateRequest, llm_pb2.GenerateResponse]


class LanguageModelService(Service, LanguageModelServiceServicer):
    """One engine, as many replies at once as there are slots."""

    name = "llm"
    stage = common_pb2.STAGE_LLM

    def __init__(self, settings: Settings) -> None:
        """EngineMissing where the chosen engine is not installed."""
        chosen = settings.section("llm", LanguageModelSettings)
        self.settings = self._settings = chosen
        self.admission = Admission(chosen.max_concurrent_streams, "replies")
        self._mesh_settings = settings
        self._spec = meant_engine(ENGINE_GROUP, chosen.engine, "llm.engine", settings)
        self.device = watch_for(self._spec, settings, self.name)
        self._model = self._new_model()
        self._reset_phrases = ResetPhrases(chosen.reset_phrases)
        self._streams: set[GenerationStream] = set()
        self._loaded = False

    def _new_model(self) -> LanguageModel:
        model: LanguageModel = self._spec.make(
            engine_config(self._settings, self._spec), self.placement, self._mesh_settings
        )
        return model

    async def load(self) -> None:
        """Load the engine."""
        await self._model.load()
        self._loaded = True

    async def unload(self) -> None:
        """Give up an engine whose chip was lost."""
        self._loaded = False
        await self._model.close()
        self._model = self._new_model()

    def register(self, server: grpc.aio.Server) -> Sequence[str]:
        """Add the servicer."""
        add_LanguageModelServiceServicer_to_server(self, server)
        return [llm_pb2.DESCRIPTOR.services_by_name["LanguageModelService"].full_name]

    def describe(self, response: operations_pb2.DescribeResponse) -> None:
        """Engine, model, slots and capabilities."""
        response.engine = self._model.name
        response.model = self._model.model
        response.slots.CopyFrom(self.admission.slots())
        response.language_model.CopyFrom(self._capabilities())

    def live_turns(self) -> Sequence[operations_pb2.LiveTurn]:
        """One for each reply under way."""
        return [stream.live_turn() for stream in self._streams]

    async def drain(self, notice: common_pb2.DrainNotice) -> None:
        """Tell the streams under way."""
        for stream in tuple(self._streams):
            stream.send(llm_pb2.GenerateResponse(drain=notice))

    async def close(self) -> None:
        """Close the engine."""
        await self._model.close()

    async def Generate(  # type: ignore[override]  # The stubs know no coroutine that writes.
        self, request_iterator: AsyncIterator[llm_pb2.GenerateRequest], context: Context
    ) -> None:
        """One reply."""
        requests = aiter(request_iterator)
        async with rpc_errors(context, self.stage):
            request = await first_request(requests, self._settings.request_timeout_s)
            if request is None:  # Opened early, and the question never came.
                return
            if not self._loaded:
                raise self.still_loading()
            prompt = read_request(request.generation, self._model.capabilities, self._model.model)
            with self.admission.slot():
                async with Outbox(context, service=self.name) as outbox:
                    stream = GenerationStream(request, self._model, self._settings, outbox)
                    self._streams.add(stream)
                    try:
                        await stream.run(prompt, self._reset_phrases, requests, self._started())
                    finally:
                        self._streams.discard(stream)

    def _started(self) -> llm_pb2.GenerationStarted:
        return llm_pb2.GenerationStarted(
            engine=self._model.name, model=self._model.model, capabilities=self._capabilities()
        )

    def _capabilities(self) -> llm_pb2.LanguageModelCapabilities:
        can = self._model.capabilities
        return llm_pb2.LanguageModelCapabilities(
            languages=[common_pb2.Language(language_code=code) for code in can.languages],
            streaming=True,
            tools=can.tools,
            audio_input=can.audio_input,
            speculative=can.speculative,
            context_tokens=can.context_tokens,
            max_concurrent_streams=self.admission.total,
        )


SPEC = ServiceSpec(
    name="llm",
    summary="the language model: scripted answers, any OpenAI-compatible server, or a Sophgo TPU",
    factory=LanguageModelService,
)
