"""A robot's listener service as the face of a conversation: Listen, Play and Stop by gRPC."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING

import grpc
import grpc.aio

from voicemesh.aio import TaskSet
from voicemesh.channels import open_channel
from voicemesh.errors import Unavailable, from_rpc
from voicemesh.v1 import asr_pb2, common_pb2, dialog_pb2, robot_pb2
from voicemesh.v1.robot_pb2_grpc import RobotListenerServiceStub
from voicemesh_orchestrator.conversation import Conversation
from voicemesh_orchestrator.robot_listening import RobotListening
from voicemesh_orchestrator.robot_playing import RobotPlaying
from voicemesh_orchestrator.settings import OrchestratorSettings
from voicemesh_orchestrator.stubs import Stubs

if TYPE_CHECKING:  # The stubs' asynchronous types exist for type checkers only.
    from voicemesh.v1.robot_pb2_grpc import RobotListenerServiceAsyncStub

log = logging.getLogger(__name__)

_ROBOT = common_pb2.STAGE_ROBOT
_STOP_S = 2.0
# A speaker falls silent this long after the clock says so at the latest: devices
# buffer, and reports travel.
_SETTLE_S = 5.0


class RobotFace:
    """Dials a robot for the length of one turn."""

    def __init__(
        self,
        target: str,
        audio_format: common_pb2.AudioFormat,
        settings: OrchestratorSettings,
        stubs: Stubs,
    ) -> None:
        """``audio_format``: of the replies. Nothing is asked of the robot yet."""
        self._target = target
        self._format = audio_format
        self._settings = settings
        self._stubs = stubs
        self._channel = open_channel(target)
        self._listener: RobotListenerServiceAsyncStub = RobotListenerServiceStub(self._channel)
        self._tasks = TaskSet()
        self._listening: RobotListening | None = None
        self._microphone_open = False
        self._playing: RobotPlaying | None = None
        self._stopping: asyncio.Task[None] | None = None
        self._conversation: Conversation | None = None

    async def greet(self) -> Mapping[str, str]:
        """Find out that the robot is there; the facts that it tells of itself."""
        limit = self._settings.deadlines.robot_answer_s
        try:
            status = await self._listener.GetStatus(robot_pb2.GetStatusRequest(), timeout=limit)
        except grpc.aio.AioRpcError as error:
            if error.code() in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED):
                raise Unavailable(
                    f"robot: no listener answers at {self._target} (tried for up to {limit:g} s); "
                    "is `voicemesh listen-service` running there?",
                    field="robot_target",
                    stage=_ROBOT,
                ) from None
            raise from_rpc(error, _ROBOT) from None
        return dict(status.facts)

    def attach(self, conversation: Conversation) -> None:
        """Whose face it is."""
        self._conversation = conversation

    def tell(self, event: dialog_pb2.ConverseResponse) -> None:
        """Play replies; what else happens concerns the controller."""
        match event.WhichOneof("converse_response"):
            case "turn_event":
                if event.turn_event.type == asr_pb2.TURN_EVENT_TYPE_END_OF_TURN:
                    self.close_microphone()
                    self._microphone_open = False
            case "reply_audio":
                self._voice(event.stamp).add(event.reply_audio.chunk)
            case "reply_ended" if self._playing is not None:
                self._playing.complete()
            case "reply_interrupted":
                self._stop(event.stamp)

    def _voice(self, stamp: common_pb2.Stamp) -> RobotPlaying:
        assert self._conversation is not None
        if self._playing is None or self._playing.stamp != stamp:
            self._playing = RobotPlaying(self._listener, stamp, self._format, self._conversation)
            self._tasks.start(self._playing.run(), "play on the robot")
        return self._playing

    async def listen(self, request: robot_pb2.ListenRequest) -> None:
        """Begin a Listen call; what becomes of it the conversation is told."""
        if self._settings.robot_asr_target:
            request.asr.target = self._settings.robot_asr_target
            request.asr.ticket = self._settings.robot_asr_ticket.get_secret_value()
        assert self._conversation is not None
        listening = self._listening = RobotListening(
            self._listener, request, self._conversation, self._settings, self._stubs
        )
        self._microphone_open = True
        self._tasks.start(self._listen(listening), "listen on the robot")

    async def _listen(self, listening: RobotListening) -> None:
        await listening.run()
        if not listening.over:  # The robot has closed it; otherwise a Stop makes sure.
            self._microphone_open = False

    def close_microphone(self) -> None:
        """End the Listen call."""
        if self._listening is not None:
            self._listening.end()

    async def settled(self) -> None:
        """Wait until the robot has played to its end what it was sent."""
        if self._playing is not None:
            with suppress(TimeoutError):
                async with asyncio.timeout(_SETTLE_S):
                    await self._playing.over.wait()

    def _stop(self, stamp: common_pb2.Stamp) -> None:
        if self._stopping is None:
            self._stopping = self._tasks.start(self._stop_all(stamp), "stop the robot")

    async def _stop_all(self, stamp: common_pb2.Stamp) -> None:
        """Silence speaker and microphone, unless they are silent already."""
        plays = self._playing is not None and not self._playing.over.is_set()
        if not plays and not self._microphone_open:
            return
        try:
            await self._listener.Stop(
                robot_pb2.StopRequest(stamp=stamp, listening=True), timeout=_STOP_S
            )
        except grpc.aio.AioRpcError as error:
            log.warning("the robot at %s could not be stopped: %s", self._target, error.details())

    async def close(self) -> None:
        """Leave the robot in silence."""
        if self._conversation is not None:
            self._stop(self._conversation.stamp)
        if self._stopping is not None:
            await asyncio.wait({self._stopping})
        await self._tasks.close()
        await self._channel.close()
