"""Orders to a robot's speaker about one reply: pause, play more quietly, go on, stop."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, TypeAlias

import grpc.aio

from voicemesh.aio import TaskSet
from voicemesh.v1 import common_pb2, robot_pb2

if TYPE_CHECKING:  # The stubs' asynchronous types exist for type checkers only.
    from voicemesh.v1.robot_pb2_grpc import RobotListenerServiceAsyncStub

log = logging.getLogger(__name__)

_ANSWER_S = 2.0
# A robot that opens its device has not begun to play when the order arrives.
_MOST_TRIES = 5

Order: TypeAlias = (
    robot_pb2.PauseRequest | robot_pb2.DuckRequest | robot_pb2.ResumeRequest | robot_pb2.StopRequest
)


class SpeakerOrders:
    """Gives one order after the other, so that they arrive in order; the newest counts."""

    def __init__(self, listener: RobotListenerServiceAsyncStub, stamp: common_pb2.Stamp) -> None:
        """``stamp``: the reply that is meant."""
        self._listener = listener
        self._stamp = stamp
        self._tasks = TaskSet()
        self._next: Order | None = None
        self._unheeded: Order | None = None
        self._tries = 0
        self._giving = False

    def pause(self) -> None:
        """Fall silent within one buffer."""
        self._order(robot_pb2.PauseRequest(stamp=self._stamp))

    def duck(self, volume: float) -> None:
        """Play more quietly; ``volume`` is a share of the usual one."""
        self._order(robot_pb2.DuckRequest(stamp=self._stamp, volume=volume))

    def resume(self) -> None:
        """Go on where it paused, at full volume."""
        self._order(robot_pb2.ResumeRequest(stamp=self._stamp))

    def stop(self) -> None:
        """Drop the rest of the reply; the microphone stays as it is."""
        self._order(robot_pb2.StopRequest(stamp=self._stamp))

    def plays(self) -> None:
        """The robot says that it plays the reply: an order that came too early is repeated."""
        if self._unheeded is not None and self._next is None:
            self._give(self._unheeded)

    def _order(self, order: Order) -> None:
        self._tries = 0
        self._give(order)

    def _give(self, order: Order) -> None:
        self._next, self._unheeded = order, None
        if not self._giving:
            self._giving = True
            self._tasks.start(self._give_all(), "orders to the robot's speaker")

    async def _give_all(self) -> None:
        while self._next is not None:
            order, self._next = self._next, None
            self._tries += 1
            try:
                playback = await self._call(order)
            except grpc.aio.AioRpcError as error:
                # One that is lost is noticed by Play; one that cannot duck plays on.
                log.info("the robot does not take an order: %s", error.details())
                continue
            if self._next is None and playback.stamp != self._stamp and self._tries < _MOST_TRIES:
                self._unheeded = order
        self._giving = False

    async def _call(self, order: Order) -> common_pb2.PlaybackReport:
        match order:
            case robot_pb2.PauseRequest():
                return (await self._listener.Pause(order, timeout=_ANSWER_S)).playback
            case robot_pb2.DuckRequest():
                return (await self._listener.Duck(order, timeout=_ANSWER_S)).playback
            case robot_pb2.ResumeRequest():
                return (await self._listener.Resume(order, timeout=_ANSWER_S)).playback
            case robot_pb2.StopRequest():
                return (await self._listener.Stop(order, timeout=_ANSWER_S)).playback

    async def close(self) -> None:
        """Give no more orders."""
        await self._tasks.close()
