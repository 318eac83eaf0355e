"""Asks an orchestrator to run turns on a robot."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from types import TracebackType

import grpc.aio

from voicemesh.aio import within
from voicemesh.errors import Unavailable, VoiceMeshError, from_rpc
from voicemesh.v1 import common_pb2, dialog_pb2
from voicemesh.v1.dialog_pb2_grpc import DialogServiceStub
from voicemesh_robot.clock import Clock, MonotonicClock
from voicemesh_robot.mesh.connection import connect
from voicemesh_robot.mesh.controlled_turn_record import ControlledTurnRecord

_STAGE = common_pb2.STAGE_ORCHESTRATOR
_SILENCE_S = 8.0  # The orchestrator sends a heartbeat every 2 s.

News = dialog_pb2.RunTurnResponse


class Controller:
    """Runs turns on a robot through an orchestrator (DialogService.RunTurn).

    Use ``async with Controller(...)``. A turn that is cancelled stops the robot.
    """

    def __init__(
        self,
        orchestrator: str,
        connect_timeout_s: float,
        observe: Callable[[News], None] = lambda news: None,
        clock: Clock | None = None,
    ) -> None:
        """``orchestrator``: its target. ``observe`` sees everything as it arrives."""
        self._target = orchestrator
        self._connect_timeout_s = connect_timeout_s
        self._observe = observe
        self._clock = clock or MonotonicClock()
        self._channel: grpc.aio.Channel

    async def __aenter__(self) -> Controller:
        """Connect; Unavailable when no orchestrator answers."""
        self._channel = await connect(self._target, self._connect_timeout_s)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Disconnect."""
        await self._channel.close()

    async def run_turn(self, request: dialog_pb2.RunTurnRequest) -> ControlledTurnRecord:
        """One whole turn. What goes wrong on the way stands in the record's ``error``."""
        record = ControlledTurnRecord(asked_s=self._clock.now(), question=request.text)
        call = DialogServiceStub(self._channel).RunTurn(request)
        try:
            while (news := await self._next(call)) is not None:
                record.take(news, self._clock.now())
                self._observe(news)
        except grpc.aio.AioRpcError as error:
            record.error = from_rpc(error, _STAGE)
        except VoiceMeshError as error:
            record.error = error
        finally:
            call.cancel()
        return record

    async def _next(
        self, call: grpc.aio.UnaryStreamCall[dialog_pb2.RunTurnRequest, News]
    ) -> News | None:
        reading = asyncio.ensure_future(call.read())
        if not await within(_SILENCE_S, reading):
            call.cancel()
            await asyncio.wait({reading})
            raise Unavailable(
                f"orchestrator: {self._target} has said nothing for {_SILENCE_S:g} s; "
                "look at its log",
                stage=_STAGE,
            )
        response = reading.result()
        return response if isinstance(response, News) else None
