"""The synthesis service: admission, streams, voices."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import ClassVar

import grpc.aio

from voicemesh import logs
from voicemesh.aio import TaskSet
from voicemesh.audio_format import linear16
from voicemesh.devices import watch_for
from voicemesh.engine_choices import meant_engine
from voicemesh.errors import ProtocolViolation
from voicemesh.server import (
    Admission,
    Outbox,
    Service,
    ServiceSpec,
    StreamPatience,
    rpc_errors,
)
from voicemesh.settings import Settings, engine_config
from voicemesh.v1 import common_pb2, operations_pb2, tts_pb2
from voicemesh.v1.tts_pb2_grpc import (
    SpeechSynthesizerServiceServicer,
    add_SpeechSynthesizerServiceServicer_to_server,
)
from voicemesh_tts.engines.engine import Synthesizer
from voicemesh_tts.piece_synthesizer import PieceSynthesizer
from voicemesh_tts.settings import ENGINES, TtsSettings
from voicemesh_tts.stream import (
    OUTBOX_MESSAGES,
    Context,
    Request,
    Response,
    SynthesisStream,
    is_heartbeat,
    speaking_options,
)
from voicemesh_tts.voices import VoiceTable

_RATES_HERTZ = (8_000, 11_025, 12_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000)


class TtsService(Service, SpeechSynthesizerServiceServicer):
    """One engine, many streams."""

    name: ClassVar[str] = "tts"
    stage = common_pb2.STAGE_TTS

    def __init__(self, settings: Settings) -> None:
        """The engine is loaded by ``load``."""
        self.settings: TtsSettings = settings.section("tts", TtsSettings)
        self._mesh_settings = settings
        self._spec = meant_engine(ENGINES, self.settings.engine, "tts.engine", settings)
        self.device = watch_for(self._spec, settings, self.name)
        self._engine = self._new_engine()
        self.admission = Admission(self.settings.max_concurrent_streams, "synthesis streams")
        self._streams: set[SynthesisStream] = set()
        self._replies = TaskSet()
        self._voices = VoiceTable((), {}, self._spec.name)
        self._synthesizer: PieceSynthesizer | None = None

    def _new_engine(self) -> Synthesizer:
        engine: Synthesizer = self._spec.make(
            engine_config(self.settings, self._spec), self.placement, self._mesh_settings
        )
        return engine

    async def load(self) -> None:
        """Load the engine and check that the settings' voices exist."""
        await self._engine.load()
        self._voices = VoiceTable(self._engine.voices(), self.settings.voices, self._spec.name)
        self._voices.check_language(self.settings.language, "tts.language")
        self._synthesizer = PieceSynthesizer(self._engine, self._voices, self.settings)

    async def unload(self) -> None:
        """Give up an engine whose chip was lost."""
        synthesizer, self._synthesizer = self._synthesizer, None
        await self._engine.close()
        if synthesizer is not None:
            synthesizer.close()
        self._engine = self._new_engine()

    def register(self, server: grpc.aio.Server) -> Sequence[str]:
        """Add the servicer."""
        add_SpeechSynthesizerServiceServicer_to_server(self, server)
        return [tts_pb2.DESCRIPTOR.services_by_name["SpeechSynthesizerService"].full_name]

    def _capabilities(self) -> tts_pb2.SynthesizerCapabilities:
        can = self._engine.capabilities
        return tts_pb2.SynthesizerCapabilities(
            languages=self._voices.languages,
            sample_rates_hertz=_RATES_HERTZ,
            streaming=can.streaming,
            word_spans=can.word_spans,
            max_concurrent_streams=self.settings.max_concurrent_streams,
        )

    def describe(self, response: operations_pb2.DescribeResponse) -> None:
        """Engine, slots, capabilities."""
        response.engine = self._spec.name
        response.slots.CopyFrom(self.admission.slots())
        response.synthesizer.CopyFrom(self._capabilities())

    def live_turns(self) -> Sequence[operations_pb2.LiveTurn]:
        """One entry a stream."""
        return [stream.live_turn() for stream in self._streams]

    async def drain(self, notice: common_pb2.DrainNotice) -> None:
        """Tell the streams under way."""
        for stream in self._streams:
            stream.notice(notice)

    async def close(self) -> None:
        """End what is being synthesised, and the engine."""
        await self._replies.close()
        await self._engine.close()
        if self._synthesizer is not None:
            self._synthesizer.close()

    async def StreamingSynthesize(  # type: ignore[override] # it writes through the context
        self, request_iterator: AsyncIterator[Request], context: Context
    ) -> None:
        """Pieces in, audio out; see tts.proto."""
        async with rpc_errors(context, self.stage):
            requests = aiter(request_iterator)
            # Read before admission: gRPC hides a refusal that comes before the first message.
            patience = StreamPatience(self.settings.deadlines, self.name, "text")
            first = await patience.first(requests)
            if first is None:
                return
            if first.WhichOneof("streaming_request") != "streaming_config":
                raise ProtocolViolation(
                    "the first request must carry the config", field="streaming_config"
                )
            if self._synthesizer is None:
                raise self.still_loading()
            with self.admission.slot():
                await self._serve(self._synthesizer, first, requests, patience, context)

    async def _serve(
        self,
        synthesizer: PieceSynthesizer,
        first: Request,
        requests: AsyncIterator[Request],
        patience: StreamPatience,
        context: Context,
    ) -> None:
        config = first.streaming_config
        options = speaking_options(config, self.settings, self._voices)
        async with Outbox(context, OUTBOX_MESSAGES, self.name) as outbox:
            started = tts_pb2.SynthesisStarted(
                engine=self._spec.name,
                capabilities=self._capabilities(),
                audio_format=linear16(options.sample_rate_hertz),
            )
            outbox.send(Response(stamp=first.stamp, started=started))
            stream = SynthesisStream(
                config, options, synthesizer, self.settings, outbox, self._replies
            )
            self._streams.add(stream)
            try:
                patience.busy = lambda: stream.working
                with logs.bind(config.conversation_id):
                    async with patience.watching():
                        await stream.run(patience.messages(requests, is_heartbeat))
            finally:
                self._streams.discard(stream)

    async def ListVoices(
        self, request: tts_pb2.ListVoicesRequest, context: Context
    ) -> tts_pb2.ListVoicesResponse:
        """The voices of a language, or all."""
        async with rpc_errors(context, self.stage):
            return tts_pb2.ListVoicesResponse(voices=self._voices.listed(request.language_code))


SPEC = ServiceSpec("tts", "speech synthesis", TtsService)
