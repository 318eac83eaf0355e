"""The Converse stream: checks what a client says and hands it to its conversation."""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any

import grpc.aio

from voicemesh import logs
from voicemesh.aio import SilenceLimit, TaskSet, uninterrupted
from voicemesh.errors import DeadlineExceeded, ProtocolViolation, Unsupported
from voicemesh.server import Outbox
from voicemesh.v1 import asr_pb2, common_pb2, dialog_pb2, operations_pb2, robot_pb2
from voicemesh_orchestrator import metrics
from voicemesh_orchestrator.clients.microphone_clock import MicrophoneClock
from voicemesh_orchestrator.clients.robot_commands import RobotCommands
from voicemesh_orchestrator.conversation.conversation import Conversation
from voicemesh_orchestrator.history import History, Memory
from voicemesh_orchestrator.observing.observers import Observers, Watch
from voicemesh_orchestrator.plan import check_config, check_said, recognition_config
from voicemesh_orchestrator.settings import OrchestratorSettings
from voicemesh_orchestrator.turn.policy import check_policy
from voicemesh_orchestrator.upstream.services import Services
from voicemesh_orchestrator.upstream.synthesis import Synthesis

log = logging.getLogger(__name__)

_SETTLE_S = 2.0  # A report is that late at most: the device's buffer and the way.
_EPOCH = 1  # Nobody else has owned a conversation that is new.

Request = dialog_pb2.ConverseRequest
Response = dialog_pb2.ConverseResponse


class ConverseStream:
    """One client's stream; it is also the face that its conversation talks to."""

    def __init__(
        self,
        settings: OrchestratorSettings,
        stubs: Services,
        capabilities: dialog_pb2.DialogCapabilities,
        watches: Sequence[Watch] = (),
    ) -> None:
        """Nothing is opened before ``run``. ``watches`` give the observers of it."""
        self._settings = settings
        self._stubs = stubs
        self._capabilities = capabilities
        self._observers = Observers(watches)
        self._conversation_id = uuid.uuid4().hex[:12]
        self._microphone: MicrophoneClock | None = None
        self._tasks = TaskSet()
        self._commands = RobotCommands(self._command, settings.deadlines.robot_answer_s)
        self._told_to_listen: common_pb2.Stamp | None = None
        self._keeps_listening = False
        self._reports_playback = False
        self._silent = asyncio.Event()
        self._silent.set()
        self._outbox: Outbox[Response]
        self._conversation: Conversation

    @property
    def started(self) -> bool:
        """Whether the conversation is under way."""
        return hasattr(self, "_conversation")

    @property
    def conversation(self) -> Conversation:
        """The conversation, once it has started."""
        return self._conversation

    def turn(self) -> operations_pb2.LiveTurn:
        """What the conversation is doing."""
        return self._conversation.live_turn()

    def notify(self, notice: common_pb2.DrainNotice) -> None:
        """Tell the client that this process will stop."""
        if self.started:
            self._say(Response(stamp=self._conversation.stamp, drain=notice))

    # What the conversation wants of its face (see Face).

    def tell(self, event: Response) -> None:
        """Send news to the client."""
        match event.WhichOneof("converse_response"):
            case "turn_event":
                ended = event.turn_event.type == asr_pb2.TURN_EVENT_TYPE_END_OF_TURN
                if ended and not self._keeps_listening:
                    self._told_to_listen = None  # The robot sees the same event.
            case "reply_audio" if self._reports_playback:
                self._silent.clear()
            case "reply_interrupted":
                self._silent.set()
        self._say(event)

    async def listen(self, request: robot_pb2.ListenRequest) -> None:
        """Command the robot to open its microphone; its sound comes as ever."""
        if self._microphone is None:
            raise Unsupported(
                "this conversation has no microphone: its client left config.input_format unset",
                field="conversation_id",
            )
        await self._commands.ask(robot_pb2.RobotCommand(listen=request))
        self._told_to_listen = request.stamp
        self._keeps_listening = request.keep_listening

    def close_microphone(self) -> None:
        """Take the command back."""
        if self._told_to_listen is not None:
            stop = robot_pb2.StopRequest(
                stamp=self._told_to_listen, listening=True, keep_playing=True
            )
            self._told_to_listen = None
            self._commands.tell(robot_pb2.RobotCommand(stop=stop))

    async def settled(self) -> None:
        """Wait for the report that the reply has been played, where one will come."""
        with suppress(TimeoutError):
            async with asyncio.timeout(_SETTLE_S):
                await self._silent.wait()

    def _command(self, command: robot_pb2.RobotCommand) -> None:
        self._say(Response(stamp=self._conversation.stamp, command=command))

    async def run(
        self,
        config: dialog_pb2.ConverseConfig,
        requests: AsyncIterator[Request],
        context: grpc.aio.ServicerContext[Any, Response],
    ) -> None:
        """Serve the rest of the stream until the client ends it or goes away."""
        conversations = metrics.CONVERSATIONS
        with logs.bind(self._conversation_id), conversations.track_inprogress(), self._observers:
            async with Outbox(context, service="orchestrator") as self._outbox:
                synthesis = (
                    self._stubs.synthesis(self._conversation_id, config, self._settings)
                    if config.HasField("output_format")
                    else None
                )
                history = History(self._settings.max_exchanges)
                conversation = Conversation(
                    Memory(self._conversation_id, history, common_pb2.Stamp(epoch=_EPOCH)),
                    config,
                    self._settings,
                    self._stubs.llm,
                    synthesis,
                    self,
                )
                try:
                    await self._open(config, conversation, synthesis)
                    log.info("conversation begins")
                    await self._take_all(requests)
                finally:
                    self._commands.close()
                    await uninterrupted(conversation.close(), "close conversation")
                    await self._tasks.close()
                    log.info("conversation ends")

    def _say(self, response: Response) -> None:
        self._outbox.send(response)
        self._observers.said(response)

    async def first(self, requests: AsyncIterator[Request]) -> dialog_pb2.ConverseConfig:
        """The config that begins the stream, checked."""
        async with self._patience():
            first = await anext(requests, None)
        if first is None or first.WhichOneof("converse_request") != "config":
            raise ProtocolViolation("the first message must carry config", field="converse_request")
        config = first.config
        self._reports_playback = config.reports_playback
        check_config(config)
        if config.HasField("input_format"):
            self._microphone = MicrophoneClock(config.input_format.sample_rate_hertz)
        return config

    async def _open(
        self,
        config: dialog_pb2.ConverseConfig,
        conversation: Conversation,
        synthesis: Synthesis | None,
    ) -> None:
        """Open ear and mouth; a service that refuses refuses the conversation."""
        if self._microphone is not None:
            recognition = self._stubs.recognition(
                recognition_config(self._conversation_id, config, self._settings.floor),
                self._settings,
                conversation,
            )
            conversation.hearing.attach(recognition)
            hearing = await recognition.start()
            self._capabilities.heard_languages.extend(hearing.capabilities.languages)
        if synthesis is not None:
            await synthesis.ensure_open()
            self._capabilities.spoken_languages.extend(synthesis.capabilities.languages)
        self._conversation = conversation
        self._observers.begin(self._conversation_id, config)
        self._say(
            Response(
                stamp=conversation.stamp,
                started=dialog_pb2.ConversationStarted(
                    conversation_id=self._conversation_id,
                    capabilities=self._capabilities,
                    reply_lead_ms=config.reply_lead_ms or self._settings.reply_lead_ms,
                    recorded=self._observers.keep,
                ),
            )
        )
        conversation.begin()

    async def _take_all(self, requests: AsyncIterator[Request]) -> None:
        """Take requests until the client says good-bye, half-closes or is gone."""
        async with self._patience() as limit:
            async for request in requests:
                limit.heard()
                self._observers.heard(request)
                if request.WhichOneof("converse_request") == "end":
                    return
                await self._take(request)

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

    async def _take(self, request: Request) -> None:
        conversation = self._conversation
        match request.WhichOneof("converse_request"):
            case "audio":
                self._sound("audio").take_audio(request.audio)
                await conversation.hearing.audio(request.audio)
            case "silence":
                self._sound("silence").take_silence(request.silence)
                conversation.hearing.silence(request.silence)
            case "end_of_utterance":
                self._sound("end_of_utterance").check_end(request.end_of_utterance)
                conversation.hearing.end_utterance(request.end_of_utterance)
            case "text":
                check_policy(request.text.interruption_policy, "text.interruption_policy")
                if request.text.with_speech:
                    self._sound("text.with_speech")
                conversation.type_text(request.text)
            case "playback":
                conversation.report_playback(request.playback)
                if request.playback.drained:
                    self._silent.set()
            case "interrupt":
                conversation.interrupt(request.interrupt)
            case "heartbeat":
                if not request.heartbeat.echo:
                    request.heartbeat.echo = True
                    self._say(Response(stamp=conversation.stamp, heartbeat=request.heartbeat))
            case "wake":
                self._sound("wake")
                if not self._tasks:  # One that has woken up already is being told to listen.
                    self._tasks.start(conversation.asked_turns.wake(), "wake")
            case "command_result":
                self._commands.take(request.command_result)
            case "local_speech":
                self._sound("local_speech")
                conversation.hearing.local_speech()
            case "say":
                check_said(request.say)
                conversation.say(request.say.text, request.say.interruption_policy)
            case "config":
                raise ProtocolViolation("config may be sent only once", field="config")
            case _:
                raise ProtocolViolation("the message is empty", field="converse_request")

    def _sound(self, field: str) -> MicrophoneClock:
        """The microphone, for a message that needs one."""
        if self._microphone is None:
            raise ProtocolViolation(
                "no sound can come, because config.input_format is unset; set it to send sound",
                field=field,
            )
        return self._microphone
