"""The ASR service: admission, engine, and the two RPCs."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import ExitStack, asynccontextmanager, contextmanager, suppress
from functools import partial
from typing import Any

import grpc.aio

from voicemesh.aio import uninterrupted
from voicemesh.audio import StreamResampler, pcm16
from voicemesh.devices import watch_for
from voicemesh.engine_choices import meant_engine
from voicemesh.errors import Busy, InvalidArgument
from voicemesh.language_tags import primary_language
from voicemesh.registry import config_field, engine_spec
from voicemesh.server import (
    Admission,
    Outbox,
    Service,
    ServiceSpec,
    StreamPatience,
    rpc_errors,
)
from voicemesh.settings import Settings, engine_config
from voicemesh.v1 import asr_pb2 as pb
from voicemesh.v1 import common_pb2, operations_pb2
from voicemesh.v1.asr_pb2_grpc import (
    SpeechRecognizerServiceServicer,
    add_SpeechRecognizerServiceServicer_to_server,
)
from voicemesh.workers import ThreadWorker
from voicemesh_asr.engines.engine import (
    Recognizer,
    RecognizerSession,
    SessionOptions,
)
from voicemesh_asr.entry_point_groups import ENGINES, VADS
from voicemesh_asr.expected_phrases import phrases_of
from voicemesh_asr.recognizer_slots.slots import RecognizerSlots
from voicemesh_asr.recognizer_slots.utterance_session import UtteranceSession
from voicemesh_asr.settings import AsrSettings
from voicemesh_asr.stream import RecognitionStream, first_config
from voicemesh_asr.stream_plan import StreamPlan, plan_recording, plan_stream
from voicemesh_asr.turn_detection.models import TurnModels
from voicemesh_asr.turn_recognizer import Refuse, Send, TurnRecognizer
from voicemesh_asr.vad.vad import INLINE, Vad

MAX_RECORDING_S = 60
_SOUND_STOPPED = (
    "no sound came for {:g} s in the middle of a turn, while others may wait for its recogniser; "
    "send silence or end_of_utterance, or raise asr.deadlines.sound_within_turn_s"
)
_STAGE = common_pb2.STAGE_ASR


class AsrService(Service):
    """Recognises as many utterances at once as its engine has decoders; more may be silent."""

    name = "asr"
    stage = _STAGE

    def __init__(self, settings: Settings) -> None:
        """Nothing is loaded before ``load``."""
        self.settings: AsrSettings = settings.section("asr", AsrSettings)
        self._mesh_settings = settings
        self._spec = meant_engine(ENGINES, self.settings.engine, "asr.engine", settings)
        self.device = watch_for(self._spec, settings, self.name)
        self.engine = self._new_engine()
        engine_spec(VADS, self.settings.vad, "asr.vad")  # A wrong name is told now.
        heard = self.engine.capabilities.languages
        languages = {primary_language(language.language_code) for language in heard}
        self._phrases = phrases_of(self.settings, settings, sorted(languages))
        workers = self.engine.capabilities.max_concurrent_streams or 1
        self.admission = Admission(max(self.settings.max_open_streams, workers), "open streams")
        self._slots = RecognizerSlots(workers, self.settings.slot_wait_ms / 1000, self._all_taken)
        self._vad_worker = ThreadWorker("vad")
        self._turn_models = TurnModels(settings)
        self._streams: set[RecognitionStream] = set()
        self._loaded = False

    def _new_engine(self) -> Recognizer:
        engine: Recognizer = self._spec.make(
            engine_config(self.settings, self._spec), self.placement, self._mesh_settings
        )
        return engine

    async def load(self) -> None:
        """See Service."""
        await self._turn_models.load()
        await self.engine.load()
        self._loaded = True

    async def unload(self) -> None:
        """See Service."""
        self._loaded = False
        await self._slots.close_kept()
        await self.engine.close()
        self.engine = self._new_engine()

    def register(self, server: grpc.aio.Server) -> Sequence[str]:
        """See Service."""
        add_SpeechRecognizerServiceServicer_to_server(_Servicer(self), server)
        return ["voicemesh.v1.SpeechRecognizerService"]

    def describe(self, response: operations_pb2.DescribeResponse) -> None:
        """See Service."""
        response.engine = self._spec.name
        response.model = self.engine.model
        response.slots.CopyFrom(self._slots.slots())
        response.recognizer.CopyFrom(self.engine.capabilities)

    def live_turns(self) -> Sequence[operations_pb2.LiveTurn]:
        """See Service."""
        return [stream.live_turn() for stream in self._streams]

    async def drain(self, notice: common_pb2.DrainNotice) -> None:
        """See Service."""
        for stream in self._streams:
            with suppress(Busy):  # A client that does not read ends by itself.
                stream.send(drain=notice)

    async def close(self) -> None:
        """See Service."""
        await self.engine.close()
        self._vad_worker.close()
        self._turn_models.close()

    @property
    def _served_by(self) -> tuple[pb.RecognizerCapabilities, str, str]:
        """What the engine can do, its name and its model's."""
        return self.engine.capabilities, self._spec.name, self.engine.model

    def _check_loaded(self) -> None:
        if not self._loaded:
            raise self.still_loading()

    def _all_taken(self) -> Busy:
        return Busy(
            f"{self._slots.total} speakers are being heard, which is all that this machine is set "
            f"to, and none of them finished within {self.settings.slot_wait_ms} ms; try again "
            "when one has, or raise "
            f"asr.{config_field(self._spec.name)}.workers or asr.slot_wait_ms",
            retry_after_ms=1000,
        )

    async def _open_session(self, options: SessionOptions) -> RecognizerSession:
        self._check_loaded()  # Its device may have been lost meanwhile.
        return await self.engine.open(options)

    @contextmanager
    def _place(self) -> Iterator[None]:
        with ExitStack() as held:
            try:
                held.enter_context(self.admission.slot())
            except Busy as busy:
                raise Busy(
                    f"{self.admission.total} streams are open, which is all that this machine is "
                    "set to; try again when one has ended, or raise asr.max_open_streams",
                    retry_after_ms=busy.retry_after_ms,
                ) from None
            yield

    @asynccontextmanager
    async def _speaker(self, plan: StreamPlan) -> AsyncIterator[tuple[UtteranceSession, Vad]]:
        """A place among the open streams, and a voice activity detector of one's own.

        A slot of the recogniser is taken when somebody speaks.
        """
        options = SessionOptions(
            plan.language_code,
            (*self._phrases, *plan.phrases),
            plan.languages,
            plan.interim_results,
        )
        with self._place():
            rate = self.engine.rate_hertz
            session = UtteranceSession(self._slots, self._open_session, options, rate)
            try:
                await session.prepare()
                # Even a cheap detector may import its library when the first one is made.
                vad = await self._vad_worker.run(plan.make_vad, self.settings)
                yield session, vad
            finally:
                await uninterrupted(session.close(), "close recogniser session")

    def _turn_recognizer(
        self,
        session: RecognizerSession,
        vad: Vad,
        plan: StreamPlan,
        send: Send,
        refuse: Refuse,
    ) -> TurnRecognizer:
        phrases = (*self._phrases, *plan.phrases)
        rate = self.engine.rate_hertz
        worker = None if INLINE in plan.vad_spec.tags else self._vad_worker
        models = self._turn_models
        return TurnRecognizer(plan, session, rate, vad, worker, phrases, models, send, refuse)

    async def stream(
        self,
        requests: AsyncIterator[pb.StreamingRecognizeRequest],
        outbox: Outbox[pb.StreamingRecognizeResponse],
    ) -> None:
        """Serve one speaker's stream."""
        requests = aiter(requests)
        patience = StreamPatience(self.settings.deadlines, self.name, "sound or silence")
        config, stamp = await first_config(requests, patience)
        self._check_loaded()
        plan = plan_stream(config, self.settings, *self._served_by)
        async with self._speaker(plan) as (session, vad):
            stream = RecognitionStream(
                plan, stamp, outbox, partial(self._turn_recognizer, session, vad), self._phrases
            )
            self._streams.add(stream)
            try:
                stream.send(started=self._started(plan))
                limit_s = self.settings.deadlines.sound_within_turn_s
                patience.also(limit_s, _SOUND_STOPPED.format(limit_s), lambda: stream.in_turn)
                async with patience.watching():
                    await stream.run(requests, patience)
            finally:
                self._streams.discard(stream)

    def _started(self, plan: StreamPlan) -> pb.RecognitionStarted:
        return pb.RecognitionStarted(
            engine=self._spec.name,
            capabilities=self.engine.capabilities,
            language_code=plan.language_code,
            turn_detector=plan.turn_detector_options(),
            vad=plan.vad,
        )

    async def recognize(self, request: pb.RecognizeRequest) -> pb.RecognizeResponse:
        """A whole recording at once."""
        self._check_loaded()
        plan = plan_recording(request, self.settings, *self._served_by)
        samples = pcm16(_checked_recording(request.audio, plan.rate_hertz))
        heard: list[pb.Transcript] = []

        def collect(event: pb.TurnEvent) -> None:
            if event.type == pb.TURN_EVENT_TYPE_END_OF_TURN and event.transcript.text:
                heard.append(event.transcript)

        def refuse(busy: Busy) -> None:
            raise busy

        async with self._speaker(plan) as (session, vad):
            recognizer = self._turn_recognizer(session, vad, plan, collect, refuse)
            resampler = StreamResampler(plan.rate_hertz, self.engine.rate_hertz)
            for start in range(0, len(samples), plan.rate_hertz):
                part = samples[start : start + plan.rate_hertz]
                await recognizer.feed(resampler.process(part))
            await recognizer.feed(resampler.finish())
            await recognizer.end_utterance()
        return pb.RecognizeResponse(stamp=request.stamp, transcripts=heard)


def _checked_recording(audio: bytes, rate_hertz: int) -> bytes:
    if not audio:
        raise InvalidArgument("the recording holds no audio", field="audio")
    if len(audio) % 2:
        raise InvalidArgument(
            f"{len(audio)} bytes are no whole number of 16-bit samples", field="audio"
        )
    if len(audio) // 2 > MAX_RECORDING_S * rate_hertz:
        raise InvalidArgument(
            f"{len(audio) / 2 / rate_hertz:.1f} s are more than {MAX_RECORDING_S} s; "
            "use StreamingRecognize",
            field="audio",
        )
    return audio


class _Servicer(SpeechRecognizerServiceServicer):
    """The RPCs; all work is the service's."""

    def __init__(self, service: AsrService) -> None:
        self._service = service

    async def StreamingRecognize(  # type: ignore[override]  # The stubs know generators only.
        self,
        request_iterator: AsyncIterator[pb.StreamingRecognizeRequest],
        context: grpc.aio.ServicerContext[Any, pb.StreamingRecognizeResponse],
    ) -> None:
        async with rpc_errors(context, _STAGE), Outbox(context, service="asr") as outbox:
            await self._service.stream(request_iterator, outbox)

    async def Recognize(
        self,
        request: pb.RecognizeRequest,
        context: grpc.aio.ServicerContext[Any, Any],
    ) -> pb.RecognizeResponse:
        async with rpc_errors(context, _STAGE):
            return await self._service.recognize(request)
        raise AssertionError("rpc_errors ends the RPC")


SPEC = ServiceSpec("asr", "speech recognition and turn detection", AsrService)
