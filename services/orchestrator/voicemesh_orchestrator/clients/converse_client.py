"""A client that dialled in, as its conversation sees it."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from voicemesh.errors import Unsupported
from voicemesh.server import Outbox
from voicemesh.v1 import asr_pb2, common_pb2, dialog_pb2, robot_pb2
from voicemesh_orchestrator.clients.robot_commands import RobotCommands
from voicemesh_orchestrator.conversation.conversation import Conversation
from voicemesh_orchestrator.observing.observers import Observers
from voicemesh_orchestrator.plan import ConversationPlan

_SETTLE_S = 2.0  # A report is that late at most: the device's buffer and the way.

Response = dialog_pb2.ConverseResponse


class ConverseClient:
    """Sends over the Converse stream; commands to the client's microphone go the same way."""

    def __init__(
        self,
        plan: ConversationPlan,
        outbox: Outbox[Response],
        observers: Observers,
        answer_s: float,
        conversation: Conversation[ConverseClient],
    ) -> None:
        """``answer_s``: how many seconds the client may take to answer a command."""
        self.commands = RobotCommands(self._send_command, answer_s)
        """Commands to the client that wait for its answer."""
        self._has_microphone = plan.microphone_rate_hertz > 0
        self._reports_playback = plan.reports_playback
        self._outbox = outbox
        self._observers = observers
        self._conversation = conversation
        self._told_to_listen: common_pb2.Stamp | None = None
        self._keeps_listening = False
        self._silent = asyncio.Event()
        self._silent.set()

    def send(self, event: Response) -> None:
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
        self._outbox.send(event)
        self._observers.said(event)

    async def listen(self, request: robot_pb2.ListenRequest) -> None:
        """Command the robot to open its microphone; its sound comes as ever."""
        if not self._has_microphone:
            raise Unsupported(
                "this conversation has no microphone: its client left config.input_format unset",
                field="conversation_id",
            )
        await self.commands.ask(robot_pb2.RobotCommand(listen=request))
        self._told_to_listen = request.stamp
        self._keeps_listening = request.keep_listening

    def close_microphone(self) -> None:
        """Take the command back."""
        if self._told_to_listen is not None:
            stop = robot_pb2.StopRequest(
                stamp=self._told_to_listen, listening=True, keep_playing=True
            )
            self._told_to_listen = None
            self.commands.send(robot_pb2.RobotCommand(stop=stop))

    def drained(self) -> None:
        """The client has reported that its speaker has played all that it was sent."""
        self._silent.set()

    async def settled(self) -> None:
        """Wait for the report that the reply has been played, where one will come."""
        with suppress(TimeoutError):
            async with asyncio.timeout(_SETTLE_S):
                await self._silent.wait()

    def _send_command(self, command: robot_pb2.RobotCommand) -> None:
        self.send(Response(stamp=self._conversation.stamp, command=command))
