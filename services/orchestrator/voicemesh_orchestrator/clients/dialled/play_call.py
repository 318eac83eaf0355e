"""One Play call: a reply on its way to a robot's speaker."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import grpc.aio

from voicemesh.aio import Channel, ChannelClosed, ChannelFull, cancel_and_wait
from voicemesh.errors import Busy, Unavailable, VoiceMeshError, from_detail
from voicemesh.grpc_client import Duplex
from voicemesh.heartbeats import echo_of
from voicemesh.v1 import common_pb2, dialog_pb2, robot_pb2
from voicemesh_orchestrator.clients.dialled.speaker_orders import SpeakerOrders
from voicemesh_orchestrator.conversation.conversation import Conversation

if TYPE_CHECKING:  # The stubs' asynchronous types exist for type checkers only.
    from voicemesh.v1.robot_pb2_grpc import RobotListenerServiceAsyncStub

_CAPACITY = 512
_PROBE_S = 1.0
_ROBOT = common_pb2.STAGE_ROBOT

Request = robot_pb2.PlayRequest
Response = robot_pb2.PlayResponse


class PlayCall:
    """Sends a reply as it comes (at the paced sender's pace), and passes on where playback is."""

    def __init__(
        self,
        listener: RobotListenerServiceAsyncStub,
        stamp: common_pb2.Stamp,
        audio_format: common_pb2.AudioFormat,
        conversation: Conversation[Any],
    ) -> None:
        """Nothing is sent before ``run``."""
        self.stamp = stamp
        self.over = asyncio.Event()
        """Set when the speaker is silent: the reply was played, stopped or lost."""
        self._listener = listener
        self._conversation = conversation
        self._outgoing: Channel[Request] = Channel(_CAPACITY)
        self._outgoing.send(Request(stamp=stamp, audio_format=audio_format))
        self._samples = 0
        self._complete = False
        self._newest: common_pb2.PlaybackReport | None = None
        self._stopped = False
        self.speaker = SpeakerOrders(listener, stamp)
        """Orders about this reply."""

    def add(self, chunk: common_pb2.AudioChunk) -> None:
        """More of the reply. Never waits."""
        self._samples += len(chunk.audio) // 2
        self._send(Request(stamp=self.stamp, audio=chunk))

    def complete(self) -> None:
        """The reply is whole."""
        self._complete = True
        end = common_pb2.EndOfUtterance(sample=self._samples)
        self._send(Request(stamp=self.stamp, end_of_reply=end))
        self._outgoing.close()

    def stop(self) -> None:
        """Nobody wants the rest: the robot is told, and what it then does concerns nobody."""
        self._stopped = True
        if not self.over.is_set():
            self.speaker.stop()
            self._outgoing.close()

    def _send(self, request: Request) -> None:
        try:
            self._outgoing.send(request)
        except ChannelClosed:
            return
        except ChannelFull:
            self._outgoing.close()
            self._conversation.lost(Busy("robot: it does not take the reply", stage=_ROBOT))

    async def run(self) -> None:
        """Play until the robot ends the call. Cancelling it ends the call."""
        duplex: Duplex[Request, Response] = Duplex(self._listener.Play(), _ROBOT)
        writer = asyncio.get_running_loop().create_task(self._write(duplex), name="play")
        try:
            while (response := await self._next(duplex)) is not None:
                self._take(response)
            self._ended()
        except VoiceMeshError as error:
            error.stage = error.stage or _ROBOT
            if not self._stopped:
                self._conversation.lost(error)
        finally:
            self.over.set()
            self._outgoing.close()
            await self.speaker.close()
            duplex.cancel()
            await cancel_and_wait(writer)

    async def _next(self, duplex: Duplex[Request, Response]) -> Response | None:
        """What the robot says next; None when it has ended the call.

        gRPC forgets the status of a call that ends while something is written, as
        when somebody stops the robot: then it is still there, and has played before.
        """
        try:
            return await duplex.read()
        except Unavailable:
            if self._newest is None or not await self._lives():
                raise
            return None

    async def _lives(self) -> bool:
        try:
            await self._listener.GetStatus(robot_pb2.GetStatusRequest(), timeout=_PROBE_S)
        except grpc.aio.AioRpcError:
            return False
        return True

    async def _write(self, duplex: Duplex[Request, Response]) -> None:
        with suppress(VoiceMeshError):  # The reader sees the same end, and learns why.
            async for request in self._outgoing:
                await duplex.write(request)
            await duplex.half_close()

    def _take(self, response: Response) -> None:
        match response.WhichOneof("play_response"):
            case "playback":
                self._newest = response.playback
                self._newest.stamp.CopyFrom(self.stamp)
                self._conversation.report_playback(self._newest)
                self.speaker.plays()
                if self._played_all():
                    self.over.set()
            case "error":
                raise from_detail(response.error)
            case "heartbeat":
                echo = echo_of(response.heartbeat)
                if echo is not None:
                    self._send(Request(stamp=self.stamp, heartbeat=echo))
            case _:
                pass

    def _played_all(self) -> bool:
        """Whether the whole reply has been heard; a robot that never reports is believed."""
        if not self._complete or self._newest is None:
            return self._complete
        return self._newest.drained and self._newest.played_samples >= self._samples

    def _ended(self) -> None:
        """A robot that ends the call before it has played everything was told to be quiet."""
        if not self._stopped and not self._played_all():
            self._conversation.interrupt(dialog_pb2.Interrupt(playback=self._newest))
