"""A dialled robot as the client of a conversation: Listen, Play and Stop by gRPC."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING

import grpc
import grpc.aio

from voicemesh.aio import TaskSet
from voicemesh.errors import Unavailable, from_rpc
from voicemesh.grpc_client import open_channel
from voicemesh.v1 import asr_pb2, common_pb2, dialog_pb2, robot_pb2
from voicemesh.v1.robot_pb2_grpc import RobotListenerServiceStub
from voicemesh_orchestrator.clients.dialled.listen_call import ListenCall
from voicemesh_orchestrator.clients.dialled.play_call import PlayCall
from voicemesh_orchestrator.conversation.conversation import Conversation
from voicemesh_orchestrator.settings import OrchestratorSettings

if TYPE_CHECKING:  # The stubs' asynchronous types exist for type checkers only.
    from voicemesh.v1.robot_pb2_grpc import RobotListenerServiceAsyncStub

log = logging.getLogger(__name__)

_ROBOT = common_pb2.STAGE_ROBOT
_STOP_S = 2.0
# A speaker falls silent this long after the clock says so at the latest: devices
# buffer, and reports travel.
_SETTLE_S = 5.0
_SHORTEST_TURN_MS = 1_000  # Recognition refuses to cut sooner.


class RobotLink:
    """The way to a robot's listener service, for the length of one turn."""

    def __init__(self, target: str, answer_s: float) -> None:
        """``target``: host:port. ``answer_s``: how many seconds the robot may take to answer."""
        self.target = target
        self._answer_s = answer_s
        self._channel = open_channel(target)
        self.listener: RobotListenerServiceAsyncStub = RobotListenerServiceStub(self._channel)

    async def greet(self) -> Mapping[str, str]:
        """Find out that the robot is there; the facts that it tells of itself."""
        limit = self._answer_s
        try:
            status = await self.listener.GetStatus(robot_pb2.GetStatusRequest(), timeout=limit)
        except grpc.aio.AioRpcError as error:
            if error.code() in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED):
                raise Unavailable(
                    f"robot: no listener answers at {self.target} (tried for up to {limit:g} s); "
                    "is `voicemesh listen-service` running there?",
                    field="robot_target",
                    stage=_ROBOT,
                ) from None
            raise from_rpc(error, _ROBOT) from None
        return dict(status.facts)

    async def close(self) -> None:
        """Close the channel."""
        await self._channel.close()


class RobotClient:
    """A dialled robot, as its conversation sees it: listens, plays, falls silent."""

    def __init__(
        self,
        link: RobotLink,
        audio_format: common_pb2.AudioFormat,
        settings: OrchestratorSettings,
        conversation: Conversation[RobotClient],
    ) -> None:
        """``audio_format``: of the replies. Nothing is asked of the robot yet."""
        self._target = link.target
        self._listener = link.listener
        self._format = audio_format
        self._settings = settings
        self._conversation = conversation
        self._tasks = TaskSet()
        self._listening: ListenCall | None = None
        self._microphone_open = False
        self._heard_to_the_end = False
        self._playing: PlayCall | None = None
        self._stopping: asyncio.Task[None] | None = None
        self._shutting: asyncio.Task[None] | None = None

    def send(self, event: dialog_pb2.ConverseResponse) -> None:
        """Play replies; what else happens concerns the controller."""
        match event.WhichOneof("converse_response"):
            case "turn_event":
                kind = event.turn_event.type
                if kind == asr_pb2.TURN_EVENT_TYPE_START_OF_TURN:
                    self._heard_to_the_end = False
                elif kind == asr_pb2.TURN_EVENT_TYPE_END_OF_TURN:
                    self._heard_to_the_end = True
                    if self._listening is not None and not self._listening.keeps:
                        self.close_microphone()
            case "reply_audio":
                self._play(event.stamp).add(event.reply_audio.chunk)
            case "reply_ended" if playing := self._plays(event.stamp):
                playing.complete()
            case "reply_paused" if playing := self._plays(event.stamp):
                playing.speaker.pause()
            case "reply_ducked" if playing := self._plays(event.stamp):
                playing.speaker.duck(event.reply_ducked.volume)
            case "reply_resumed" if playing := self._plays(event.stamp):
                playing.speaker.resume()
            case "reply_interrupted":
                self._interrupt(event.stamp)

    def _plays(self, stamp: common_pb2.Stamp) -> PlayCall | None:
        """The Play call of a reply that the robot has not played to its end."""
        playing = self._playing
        if playing is None or playing.stamp != stamp or playing.over.is_set():
            return None
        return playing

    def _interrupt(self, stamp: common_pb2.Stamp) -> None:
        """Silence; where the conversation goes on, the microphone is left as it is."""
        playing = self._plays(stamp)
        if self._conversation.idle:
            self._stop(stamp)
        elif playing is not None:
            playing.stop()

    def _play(self, stamp: common_pb2.Stamp) -> PlayCall:
        if self._playing is None or self._playing.stamp != stamp:
            self._playing = PlayCall(self._listener, stamp, self._format, self._conversation)
            self._tasks.start(self._playing.run(), "play on the robot")
        return self._playing

    async def listen(self, request: robot_pb2.ListenRequest) -> None:
        """Begin a Listen call; what becomes of it the conversation is told."""
        if self._settings.robot_asr_target:
            request.asr.target = self._settings.robot_asr_target
            request.asr.ticket = self._settings.robot_asr_ticket.get_secret_value()
            limit_s = self._settings.floor.longest_user_turn_s
            if limit_s:  # Nobody but the recogniser can end a turn that is not heard here.
                limit_ms = max(_SHORTEST_TURN_MS, round(limit_s * 1000))
                request.recognition.turn_detector.max_turn_ms = limit_ms
        self.close_microphone()
        listening = self._listening = ListenCall(self._listener, request, self._conversation)
        self._microphone_open, self._heard_to_the_end = True, False
        self._tasks.start(self._listen(listening), "listen on the robot")

    async def _listen(self, listening: ListenCall) -> None:
        await listening.run()
        if not listening.over:  # The robot has closed it.
            self._microphone_open = False

    def close_microphone(self) -> None:
        """End the Listen call."""
        listening, self._listening = self._listening, None
        if listening is None:
            return
        if self._heard_to_the_end:
            self._microphone_open = False  # Where it is not, a Stop makes sure.
        if self._heard_to_the_end and listening.keeps:
            self._shutting = self._tasks.start(self._shut(listening), "close the microphone")
        else:
            listening.end()

    async def _shut(self, listening: ListenCall) -> None:
        """Have the robot close it, so that it is closed when the turn has been told to be over."""
        stop = robot_pb2.StopRequest(stamp=listening.stamp, listening=True, keep_playing=True)
        listening.ignore_rest()
        try:
            await self._listener.Stop(stop, timeout=_STOP_S)
        except grpc.aio.AioRpcError as error:
            log.info("the microphone could not be closed in order: %s", error.details())
        listening.end()

    async def settled(self) -> None:
        """Wait until the robot has played to its end what it was sent, and listens no more."""
        if self._shutting is not None:
            await asyncio.wait({self._shutting})
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
        self._stop(self._conversation.stamp)
        ending = {task for task in (self._stopping, self._shutting) if task is not None}
        if ending:
            await asyncio.wait(ending)
        await self._tasks.close()
