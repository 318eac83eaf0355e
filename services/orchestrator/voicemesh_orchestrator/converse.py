"""The Converse stream: checks what a client says and hands it to its conversation."""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import grpc.aio

from voicemesh import logs
from voicemesh.aio import uninterrupted
from voicemesh.audio import check_chunk, check_format
from voicemesh.errors import (
    DeadlineExceeded,
    InvalidArgument,
    NotFound,
    ProtocolViolation,
    Unsupported,
)
from voicemesh.server import Outbox
from voicemesh.v1 import asr_pb2, common_pb2, dialog_pb2, operations_pb2, tts_pb2
from voicemesh_orchestrator import metrics
from voicemesh_orchestrator.conversation import Conversation
from voicemesh_orchestrator.recognition import Recognition
from voicemesh_orchestrator.settings import OrchestratorSettings
from voicemesh_orchestrator.synthesis import Synthesis

if TYPE_CHECKING:  # The stubs' asynchronous types exist for type checkers only.
    from voicemesh.v1.asr_pb2_grpc import SpeechRecognizerServiceAsyncStub
    from voicemesh.v1.llm_pb2_grpc import LanguageModelServiceAsyncStub
    from voicemesh.v1.tts_pb2_grpc import SpeechSynthesizerServiceAsyncStub

log = logging.getLogger(__name__)

MAX_SILENCE_S = 10

Request = dialog_pb2.ConverseRequest
Response = dialog_pb2.ConverseResponse


@dataclass(frozen=True)
class Stubs:
    """The services that conversations use."""

    asr: SpeechRecognizerServiceAsyncStub
    llm: LanguageModelServiceAsyncStub
    tts: SpeechSynthesizerServiceAsyncStub


class Converse:
    """One client's stream."""

    def __init__(
        self,
        settings: OrchestratorSettings,
        stubs: Stubs,
        capabilities: dialog_pb2.DialogCapabilities,
    ) -> None:
        """Nothing is opened before ``run``."""
        self._settings = settings
        self._stubs = stubs
        self._capabilities = capabilities
        self._conversation_id = uuid.uuid4().hex[:12]
        self._next_sample = 0
        self._rate = 0
        self._outbox: Outbox[Response]
        self._conversation: Conversation

    @property
    def started(self) -> bool:
        """Whether the conversation is under way."""
        return hasattr(self, "_conversation")

    def turn(self) -> operations_pb2.LiveTurn:
        """What the conversation is doing."""
        return operations_pb2.LiveTurn(
            conversation_id=self._conversation_id,
            stamp=self._conversation.stamp,
            phase=self._conversation.phase,
            phase_ms=self._conversation.phase_ms,
        )

    def notify(self, notice: common_pb2.DrainNotice) -> None:
        """Tell the client that this process will stop."""
        if self.started:
            self._outbox.send(Response(stamp=self._conversation.stamp, drain=notice))

    async def run(
        self,
        requests: AsyncIterator[Request],
        context: grpc.aio.ServicerContext[Any, Response],
    ) -> None:
        """Serve the stream until the client ends it or goes away."""
        config = await self._first(requests)
        with logs.bind(self._conversation_id), metrics.CONVERSATIONS.track_inprogress():
            async with Outbox(context, service="orchestrator") as self._outbox:
                synthesis = self._synthesis(config) if config.HasField("output_format") else None
                conversation = Conversation(
                    self._conversation_id,
                    config,
                    self._settings,
                    self._stubs.llm,
                    synthesis,
                    self._outbox.send,
                )
                try:
                    await self._open(config, conversation, synthesis)
                    log.info("conversation begins")
                    await self._listen(requests)
                finally:
                    await uninterrupted(conversation.close(), "close conversation")
                    log.info("conversation ends")

    async def _first(self, requests: AsyncIterator[Request]) -> dialog_pb2.ConverseConfig:
        first = await self._read(requests)
        if first is None or first.WhichOneof("converse_request") != "config":
            raise ProtocolViolation("the first message must carry config", field="converse_request")
        config = first.config
        if config.resume_token:
            raise NotFound(
                "this conversation is not known here; start a new one without a resume_token",
                field="config.resume_token",
            )
        if config.HasField("input_format"):
            self._rate = check_format(config.input_format, "config.input_format")
        if config.HasField("output_format"):
            check_format(config.output_format, "config.output_format")
        if not 0 <= config.reply_lead_ms <= 600_000:
            raise InvalidArgument(
                f"{config.reply_lead_ms} ms is out of range; ask for 0 (the setting) to 600000",
                field="config.reply_lead_ms",
            )
        if config.interruption_policy not in (
            dialog_pb2.INTERRUPTION_POLICY_UNSPECIFIED,
            dialog_pb2.INTERRUPTION_POLICY_STOP,
        ):
            raise Unsupported(
                "only INTERRUPTION_POLICY_STOP is offered", field="config.interruption_policy"
            )
        return config

    async def _open(
        self,
        config: dialog_pb2.ConverseConfig,
        conversation: Conversation,
        synthesis: Synthesis | None,
    ) -> None:
        """Open ear and mouth; a service that refuses refuses the conversation."""
        if self._rate:
            recognition = self._recognition(config, conversation)
            conversation.attach(recognition)
            hearing = await recognition.start()
            self._capabilities.heard_languages.extend(hearing.capabilities.languages)
        if synthesis is not None:
            await synthesis.ensure_open()
            self._capabilities.spoken_languages.extend(synthesis.capabilities.languages)
        self._conversation = conversation
        self._outbox.send(
            Response(
                stamp=conversation.stamp,
                started=dialog_pb2.ConversationStarted(
                    conversation_id=self._conversation_id,
                    capabilities=self._capabilities,
                    reply_lead_ms=config.reply_lead_ms or self._settings.reply_lead_ms,
                ),
            )
        )

    def _recognition(
        self, config: dialog_pb2.ConverseConfig, conversation: Conversation
    ) -> Recognition:
        recognition = asr_pb2.StreamingRecognitionConfig(
            conversation_id=self._conversation_id,
            audio_format=config.input_format,
            language_codes=config.language_codes,
            interim_results=True,
            phrase_hints=config.phrase_hints,
            vad=config.vad,
            turn_detector=config.turn_detector,
        )
        return Recognition(
            self._stubs.asr,
            self._settings.asr_target,
            recognition,
            self._settings.deadlines.connect_s,
            self._settings.microphone_coalescing_ms,
            conversation.on_turn_event,
            conversation.recognition_failed,
        )

    def _synthesis(self, config: dialog_pb2.ConverseConfig) -> Synthesis:
        synthesis = tts_pb2.StreamingSynthesisConfig(
            conversation_id=self._conversation_id,
            audio_format=config.output_format,
            language_code=config.language_codes[0] if config.language_codes else "",
            voice_name=config.voice_name,
        )
        return Synthesis(
            self._stubs.tts,
            self._settings.tts_target,
            synthesis,
            self._settings.deadlines.connect_s,
        )

    async def _listen(self, requests: AsyncIterator[Request]) -> None:
        """Take requests until the client says good-bye, half-closes or is gone."""
        while True:
            request = await self._read(requests)
            if request is None or request.WhichOneof("converse_request") == "end":
                return
            await self._take(request)

    async def _read(self, requests: AsyncIterator[Request]) -> Request | None:
        """The next request; None at the end, an error when the client is silent for too long."""
        limit = self._settings.deadlines.client_silence_s
        try:
            async with asyncio.timeout(limit):
                return await anext(requests, None)
        except TimeoutError:
            raise DeadlineExceeded(
                f"nothing came from the client for {limit:g} s; send audio, silence or heartbeats"
            ) from None

    async def _take(self, request: Request) -> None:
        conversation = self._conversation
        match request.WhichOneof("converse_request"):
            case "audio":
                self._check_microphone("audio")
                self._next_sample += check_chunk(
                    request.audio, self._next_sample, self._rate, "audio"
                )
                await conversation.hear(request.audio)
            case "silence":
                self._check_microphone("silence")
                self._check_silence(request.silence)
                self._next_sample += request.silence.sample_count
                conversation.hear_silence(request.silence)
            case "end_of_utterance":
                self._check_microphone("end_of_utterance")
                self._check_end(request.end_of_utterance)
                conversation.end_utterance(request.end_of_utterance)
            case "text":
                if request.text.with_speech:
                    self._check_microphone("text.with_speech")
                conversation.type_text(request.text)
            case "playback":
                conversation.report_playback(request.playback)
            case "interrupt":
                conversation.interrupt(request.interrupt)
            case "heartbeat":
                if not request.heartbeat.echo:
                    request.heartbeat.echo = True
                    self._outbox.send(
                        Response(stamp=conversation.stamp, heartbeat=request.heartbeat)
                    )
            case "local_speech" | "wake" | "command_result":
                pass  # News of the robot that no decision depends on yet.
            case "config":
                raise ProtocolViolation("config may be sent only once", field="config")
            case _:
                raise ProtocolViolation("the message is empty", field="converse_request")

    def _check_microphone(self, field: str) -> None:
        if not self._rate:
            raise ProtocolViolation(
                "no sound can come, because config.input_format is unset; set it to send sound",
                field=field,
            )

    def _check_end(self, end: common_pb2.EndOfUtterance) -> None:
        if not 0 <= end.sample <= self._next_sample:
            raise InvalidArgument(
                f"the utterance ends at sample {end.sample}, but sound has come up to "
                f"{self._next_sample} only; send its sound first",
                field="end_of_utterance.sample",
            )

    def _check_silence(self, silence: common_pb2.SilenceChunk) -> None:
        if not 0 < silence.sample_count <= MAX_SILENCE_S * self._rate:
            raise InvalidArgument(
                f"{silence.sample_count} samples of silence are out of range; send 1 sample to "
                f"{MAX_SILENCE_S} s at a time",
                field="silence.sample_count",
            )
        if silence.first_sample != self._next_sample:
            raise InvalidArgument(
                f"the silence begins at sample {silence.first_sample}, but {self._next_sample} "
                "is next",
                field="silence.first_sample",
            )
