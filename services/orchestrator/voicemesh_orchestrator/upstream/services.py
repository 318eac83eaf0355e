"""The services that conversations use, and the streams to them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from voicemesh.v1 import asr_pb2, dialog_pb2, tts_pb2
from voicemesh_orchestrator.conversation.conversation import Conversation
from voicemesh_orchestrator.settings import OrchestratorSettings
from voicemesh_orchestrator.upstream.recognition import Recognition
from voicemesh_orchestrator.upstream.send_ticks import SendTicks
from voicemesh_orchestrator.upstream.synthesis import Synthesis

if TYPE_CHECKING:  # The stubs' asynchronous types exist for type checkers only.
    from voicemesh.v1.asr_pb2_grpc import SpeechRecognizerServiceAsyncStub
    from voicemesh.v1.llm_pb2_grpc import LanguageModelServiceAsyncStub
    from voicemesh.v1.tts_pb2_grpc import SpeechSynthesizerServiceAsyncStub


@dataclass(frozen=True)
class Services:
    """One for each service."""

    asr: SpeechRecognizerServiceAsyncStub
    llm: LanguageModelServiceAsyncStub
    tts: SpeechSynthesizerServiceAsyncStub
    beat: SendTicks
    """When microphones are passed on; of all conversations."""

    def recognition(
        self,
        config: asr_pb2.StreamingRecognitionConfig,
        settings: OrchestratorSettings,
        conversation: Conversation,
    ) -> Recognition:
        """An ear for ``conversation``; not opened yet."""
        return Recognition(
            self.asr,
            settings.asr_target,
            config,
            settings.deadlines.connect_s,
            settings.microphone_coalescing_ms,
            self.beat,
            conversation.hearing.on_turn_event,
            conversation.hearing.failed,
        )

    def synthesis(
        self,
        conversation_id: str,
        config: dialog_pb2.ConverseConfig,
        settings: OrchestratorSettings,
    ) -> Synthesis:
        """A mouth for a conversation; not opened yet."""
        synthesis = tts_pb2.StreamingSynthesisConfig(
            conversation_id=conversation_id,
            audio_format=config.output_format,
            language_code=config.language_codes[0] if config.language_codes else "",
            voice_name=config.voice_name,
        )
        return Synthesis(self.tts, settings.tts_target, synthesis, settings.deadlines.connect_s)
