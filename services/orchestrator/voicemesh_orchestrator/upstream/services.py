"""The services that conversations use, and the streams to them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from voicemesh.aio import TaskSet
from voicemesh.v1 import asr_pb2, common_pb2
from voicemesh_orchestrator.plan import ConversationPlan
from voicemesh_orchestrator.settings import OrchestratorSettings
from voicemesh_orchestrator.upstream.generation import Generation
from voicemesh_orchestrator.upstream.recognition import Recognition, RecognitionEvents
from voicemesh_orchestrator.upstream.send_ticks import SendTicks
from voicemesh_orchestrator.upstream.synthesis import Synthesis

if TYPE_CHECKING:  # The stubs' asynchronous types exist for type checkers only.
    from voicemesh.v1.asr_pb2_grpc import SpeechRecognizerServiceAsyncStub
    from voicemesh.v1.llm_pb2_grpc import LanguageModelServiceAsyncStub
    from voicemesh.v1.tts_pb2_grpc import SpeechSynthesizerServiceAsyncStub


@dataclass(frozen=True)
class Services:
    """Opens streams to recognition, model and synthesis; nothing is open by itself."""

    settings: OrchestratorSettings
    asr: SpeechRecognizerServiceAsyncStub
    llm: LanguageModelServiceAsyncStub
    tts: SpeechSynthesizerServiceAsyncStub
    ticks: SendTicks
    """When microphones are passed on; of all conversations."""

    def recognition(
        self, config: asr_pb2.StreamingRecognitionConfig, events: RecognitionEvents
    ) -> Recognition:
        """A stream to ASR for one microphone; its turn events go to ``events``."""
        return Recognition(self.asr, self.settings, config, self.ticks, events)

    def generation(self, stamp: common_pb2.Stamp, closing: TaskSet) -> Generation:
        """A stream to the model for one reply; ``closing`` runs its end in the background."""
        target, deadlines = self.settings.llm_target, self.settings.deadlines
        return Generation(self.llm, target, stamp, deadlines, closing)

    def synthesis(self, plan: ConversationPlan) -> Synthesis | None:
        """A stream to TTS for all replies of a conversation; None where it wants text only."""
        if plan.synthesis is None:
            return None
        target, deadlines = self.settings.tts_target, self.settings.deadlines
        return Synthesis(self.tts, target, plan.synthesis, deadlines)
