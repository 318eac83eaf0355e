"""OperationsService: what a process tells about itself."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import grpc.aio

from voicemesh import __version__
from voicemesh.server.rpc import rpc_errors
from voicemesh.server.service import Service
from voicemesh.v1 import operations_pb2 as pb
from voicemesh.v1.operations_pb2_grpc import OperationsServiceServicer

Context = grpc.aio.ServicerContext[Any, Any]


class Operations(OperationsServiceServicer):
    """Introspection and control of one process."""

    def __init__(
        self, service: Service, request_drain: Callable[[float | None], None], instance: str = ""
    ) -> None:
        """``request_drain`` takes a grace in seconds, None for the setting.

        ``instance`` names the process; empty: a name is made up.
        """
        self._instance = instance or uuid4().hex
        self._service = service
        self._request_drain = request_drain
        self._started = time.monotonic()
        self.state: pb.ProcessState.ValueType = pb.PROCESS_STATE_STARTING

    async def Describe(self, request: pb.DescribeRequest, context: Context) -> pb.DescribeResponse:
        """What runs here and what it can do."""
        response = pb.DescribeResponse(
            service=self._service.name,
            version=__version__,
            instance_id=self._instance,
            state=self.state,
            uptime_ms=int((time.monotonic() - self._started) * 1000),
        )
        async with rpc_errors(context, self._service.stage):
            if self.state != pb.PROCESS_STATE_STARTING:
                self._service.describe(response)
        return response

    async def ListTurns(
        self, request: pb.ListTurnsRequest, context: Context
    ) -> pb.ListTurnsResponse:
        """The turns that are live."""
        return pb.ListTurnsResponse(turns=self._service.live_turns())

    async def ListDevices(
        self, request: pb.ListDevicesRequest, context: Context
    ) -> pb.ListDevicesResponse:
        """The devices in use."""
        devices = sorted(self._service.devices(), key=lambda device: device.name)
        return pb.ListDevicesResponse(devices=devices)

    async def Drain(self, request: pb.DrainRequest, context: Context) -> pb.DrainResponse:
        """Begin to drain; the process stops when its streams have ended."""
        grace = request.grace_ms / 1000 if request.grace_ms > 0 else None
        asyncio.get_running_loop().call_soon(self._request_drain, grace)
        return pb.DrainResponse(live_streams=self._service.admission.used)
