"""RobotListenerService: what an orchestrator does with a robot that it can dial."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any, ClassVar, TypeAlias

import grpc.aio

from voicemesh.aio import TaskSet
from voicemesh.errors import Busy, ProtocolViolation, Superseded
from voicemesh.heartbeats import HeartbeatCounter
from voicemesh.server import Admission, Outbox, Service, ServiceSpec, rpc_errors
from voicemesh.settings import Settings
from voicemesh.stamps import label, order
from voicemesh.v1 import common_pb2, operations_pb2
from voicemesh.v1 import robot_pb2 as pb
from voicemesh.v1.robot_pb2_grpc import (
    RobotListenerServiceServicer,
    add_RobotListenerServiceServicer_to_server,
)
from voicemesh_robot.listener.latest_only import LatestOnly
from voicemesh_robot.listener.listening import Listening
from voicemesh_robot.listener.playing import Playing
from voicemesh_robot.settings import RobotSettings
from voicemesh_robot.sound.robot import Robot, checked_volume

_STREAMS = 8
"""One Listen and one Play, those that they replace, and some that are refused."""
_HEARTBEAT_S = 5.0

Context = grpc.aio.ServicerContext[Any, Any]
Order: TypeAlias = pb.PauseRequest | pb.DuckRequest | pb.ResumeRequest | pb.StopRequest


class RobotService(Service, RobotListenerServiceServicer):
    """RobotListenerService on the robot's own microphone and speaker."""

    name: ClassVar[str] = "robot"
    stage = common_pb2.STAGE_ROBOT

    def __init__(self, settings: RobotSettings, robot: Robot | None = None) -> None:
        """``robot``: one with devices of the caller's choice."""
        self.settings: RobotSettings = settings
        self.admission = Admission(_STREAMS, "robot streams")
        self._robot = robot or Robot(settings)
        self._listening = LatestOnly("listening")
        self._playing = LatestOnly("playing")
        self._notify: set[Callable[[common_pb2.DrainNotice], None]] = set()

    async def load(self) -> None:
        """See Service. Devices are opened when they are needed, and may come later."""

    def register(self, server: grpc.aio.Server) -> Sequence[str]:
        """See Service."""
        add_RobotListenerServiceServicer_to_server(self, server)
        return ["voicemesh.v1.RobotListenerService"]

    def describe(self, response: operations_pb2.DescribeResponse) -> None:
        """See Service."""
        response.engine = f"vad {self.settings.vad_type}"
        response.slots.CopyFrom(self.admission.slots())

    def live_turns(self) -> Sequence[operations_pb2.LiveTurn]:
        """See Service."""
        return [
            operations_pb2.LiveTurn(stamp=work.stamp, phase=phase)
            for work, phase in ((self._listening, "listening"), (self._playing, "speaking"))
            if work.stamp is not None
        ]

    def devices(self) -> Sequence[operations_pb2.Device]:
        """See Service."""
        robot = self._robot
        return [
            operations_pb2.Device(name=robot.microphone.name, kind="microphone", healthy=True),
            operations_pb2.Device(name=robot.speaker.name, kind="speaker", healthy=True),
        ]

    async def drain(self, notice: common_pb2.DrainNotice) -> None:
        """See Service."""
        for notify in self._notify:
            notify(notice)

    async def close(self) -> None:
        """See Service."""
        await self._robot.close()

    async def Listen(  # type: ignore[override]  # The stubs know generators only.
        self, request: pb.ListenRequest, context: Context
    ) -> None:
        """Open the microphone until one turn is over."""
        async with rpc_errors(context, self.stage):
            with self.admission.slot():
                async with Outbox[pb.ListenResponse](context, service=self.name) as outbox:
                    listening = Listening(request, self._robot, outbox.send)

                    def send(**fields: Any) -> None:
                        outbox.send(pb.ListenResponse(stamp=request.stamp, **fields))

                    async with self._kept_alive(send):
                        await self._listening.run(request.stamp, listening.run)

    async def Play(  # type: ignore[override]  # The stubs know generators only.
        self, request_iterator: AsyncIterator[pb.PlayRequest], context: Context
    ) -> None:
        """Play a reply; the playback clock flows back."""
        async with rpc_errors(context, self.stage):
            # Read before it is admitted: who is refused while it writes is not told why.
            first = await anext(request_iterator, None)
            if first is None:
                raise ProtocolViolation(
                    "the stream ended before it began; send audio_format first",
                    field="play_request",
                )
            with self.admission.slot():
                async with Outbox[pb.PlayResponse](context, service=self.name) as outbox:
                    playing = Playing(first, request_iterator, self._robot, outbox.send)

                    def send(**fields: Any) -> None:
                        outbox.send(pb.PlayResponse(stamp=first.stamp, **fields))

                    async with self._kept_alive(send):
                        await self._playing.run(first.stamp, playing.run)

    @asynccontextmanager
    async def _kept_alive(self, send: Callable[..., None]) -> AsyncIterator[None]:
        """Meanwhile a stream says that it lives, and when the process will stop."""

        def notify(notice: common_pb2.DrainNotice) -> None:
            with suppress(Busy):  # Who does not read ends by itself.
                send(drain=notice)

        tasks = TaskSet()
        tasks.start(_heartbeats(lambda heartbeat: send(heartbeat=heartbeat)), "heartbeats")
        self._notify.add(notify)
        try:
            yield
        finally:
            self._notify.discard(notify)
            await tasks.close()

    async def Pause(self, request: pb.PauseRequest, context: Context) -> pb.PauseResponse:
        """Pause playback."""
        async with rpc_errors(context, self.stage):
            self._check(request)
            self._robot.pause()
        return pb.PauseResponse(playback=self._robot.report())

    async def Duck(self, request: pb.DuckRequest, context: Context) -> pb.DuckResponse:
        """Play more quietly."""
        async with rpc_errors(context, self.stage):
            self._check(request)
            self._robot.duck(checked_volume(request))
        return pb.DuckResponse(playback=self._robot.report())

    async def Resume(self, request: pb.ResumeRequest, context: Context) -> pb.ResumeResponse:
        """Go on playing."""
        async with rpc_errors(context, self.stage):
            self._check(request)
            self._robot.resume()
        return pb.ResumeResponse(playback=self._robot.report())

    async def Stop(self, request: pb.StopRequest, context: Context) -> pb.StopResponse:
        """Stop playing, and listening where asked for."""
        response = pb.StopResponse()
        async with rpc_errors(context, self.stage):
            if not request.keep_playing:
                self._check(request)
                response.playback.CopyFrom(self._robot.stop())
            if request.listening and not self._is_older(request, self._listening.stamp):
                await self._listening.end()
        if request.keep_playing:
            response.playback.CopyFrom(self._robot.report())
        return response

    async def GetStatus(
        self, request: pb.GetStatusRequest, context: Context
    ) -> pb.GetStatusResponse:
        """What the robot is doing."""
        return self._robot.status()

    def _check(self, request: Order) -> None:
        """Refuse a command about a reply that a newer one has replaced.

        A command without a stamp means whatever plays.
        """
        playing = self._playing.stamp
        if playing is not None and self._is_older(request, playing):
            raise Superseded(
                f"{label(playing)} is played, which is newer than {label(request.stamp)}",
                field="stamp",
                stage=self.stage,
            )

    @staticmethod
    def _is_older(request: Order, stamp: common_pb2.Stamp | None) -> bool:
        """Whether it is about work that the work of ``stamp`` has replaced."""
        if stamp is None or not request.HasField("stamp"):
            return False
        return order(request.stamp) < order(stamp)


async def _heartbeats(send: Callable[[common_pb2.Heartbeat], None]) -> None:
    loop = asyncio.get_running_loop()
    counter = HeartbeatCounter()
    while True:
        await asyncio.sleep(_HEARTBEAT_S)
        send(counter.next(loop.time()))


SPEC = ServiceSpec(
    name="robot",
    summary="Microphone and speaker of this robot, for an orchestrator that can dial it",
    factory=lambda settings: RobotService(_section(settings)),
    in_mesh=False,
)


def _section(settings: Settings) -> RobotSettings:
    return settings.section("robot", RobotSettings)
