"""What a client says over Converse, message by message."""

from __future__ import annotations

from typing import NamedTuple

from voicemesh.aio import TaskSet
from voicemesh.errors import ProtocolViolation
from voicemesh.heartbeats import echo_of
from voicemesh.sample_clock import SampleClock
from voicemesh.v1 import dialog_pb2
from voicemesh_orchestrator.clients.converse_client import ConverseClient
from voicemesh_orchestrator.conversation.conversation import Conversation
from voicemesh_orchestrator.conversation.sound_input import SoundInput
from voicemesh_orchestrator.observing.observers import Observers
from voicemesh_orchestrator.request_checks import check_say, check_typed

Request = dialog_pb2.ConverseRequest


class OpenMicrophone(NamedTuple):
    """The client's sound: checked and counted by the clock, then on its way to ASR."""

    clock: SampleClock
    sound: SoundInput


class ConverseRequests:
    """Checks each message, shows it to the observers and hands it to the conversation."""

    def __init__(
        self,
        conversation: Conversation[ConverseClient],
        microphone: OpenMicrophone | None,
        observers: Observers,
        tasks: TaskSet,
    ) -> None:
        """``microphone`` is None for clients that only type; ``tasks`` run what takes long."""
        self._conversation = conversation
        self._client = conversation.client
        self._microphone = microphone
        self._observers = observers
        self._tasks = tasks

    async def take(self, request: Request) -> None:
        """One message after the config; errors name its field. Waits while ASR is behind."""
        self._check(request)
        self._observers.heard(request)  # Nobody keeps what is refused.
        if self._microphone is None or not await self._take_sound(request, self._microphone.sound):
            self._take_word(request)

    def _check(self, request: Request) -> None:
        """Refuse what is wrong, and count sound on the microphone's clock."""
        match request.WhichOneof("converse_request"):
            case "audio":
                self._needed("audio").clock.take_audio(request.audio)
            case "silence":
                self._needed("silence").clock.take_silence(request.silence)
            case "end_of_utterance":
                self._needed("end_of_utterance").clock.check_end(request.end_of_utterance)
            case "text":
                waiting_chars = 0
                if request.text.with_speech:
                    self._needed("text.with_speech")
                    waiting_chars = self._conversation.typed_chars
                check_typed(request.text, waiting_chars)
            case "say":
                check_say(request.say)
            case "wake" | "local_speech" as kind:
                self._needed(kind)
            case "config":
                raise ProtocolViolation("config may be sent only once", field="config")
            case None:
                raise ProtocolViolation("the message is empty", field="converse_request")

    async def _take_sound(self, request: Request, sound: SoundInput) -> bool:
        """What the microphone brings; whether it was that."""
        match request.WhichOneof("converse_request"):
            case "audio":
                await sound.audio(request.audio)
            case "silence":
                sound.silence(request.silence)
            case "end_of_utterance":
                sound.end_utterance(request.end_of_utterance)
            case _:
                return False
        return True

    def _take_word(self, request: Request) -> None:
        """Everything else."""
        conversation = self._conversation
        match request.WhichOneof("converse_request"):
            case "text":
                conversation.type_text(request.text)
            case "playback":
                conversation.report_playback(request.playback)
                if request.playback.drained:
                    self._client.drained()
            case "interrupt":
                conversation.interrupt(request.interrupt)
            case "heartbeat":
                echo = echo_of(request.heartbeat)
                if echo is not None:
                    response = dialog_pb2.ConverseResponse(stamp=conversation.stamp, heartbeat=echo)
                    self._client.send(response)
            case "wake":
                if not self._tasks:  # One that has woken up already is being told to listen.
                    self._tasks.start(conversation.requested_turns.wake(), "wake")
            case "command_result":
                self._client.commands.take(request.command_result)
            case "local_speech":
                conversation.user_turns.local_speech()
            case "say":
                conversation.speak(request.say.text, request.say.interruption_policy)

    def _needed(self, field: str) -> OpenMicrophone:
        """The microphone, for a message that needs one."""
        if self._microphone is None:
            raise ProtocolViolation(
                "no sound can come, because config.input_format is unset; set it to send sound",
                field=field,
            )
        return self._microphone
