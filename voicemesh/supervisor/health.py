"""Is it serving, does it answer at all? Asked over gRPC, as any client would."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import grpc
import grpc.aio
from grpc_health.v1 import health_pb2

from voicemesh.grpc_client import CHANNEL_OPTIONS
from voicemesh.v1.operations_pb2 import DescribeRequest
from voicemesh.v1.operations_pb2_grpc import OperationsServiceStub

_OPTIONS: Mapping[str, int] = {
    **dict(CHANNEL_OPTIONS),
    "grpc.use_local_subchannel_pool": 1,  # No connection, no back-off left of its predecessor.
}
# The process is on this machine and about to open its port: dial it often.
_REDIAL_OPTIONS = {
    **_OPTIONS,
    "grpc.initial_reconnect_backoff_ms": 50,
    "grpc.max_reconnect_backoff_ms": 100,
}
_REDIAL_S = 0.1
_DESCRIBE_S = 5.0


async def serving(target: str, instance: str | None = None) -> None:
    """Wait until the process ``instance`` says SERVING at ``target``, however long that takes.

    Whoever else answers there is not believed; None: whoever it is.
    """
    async with grpc.aio.insecure_channel(target, options=list(_REDIAL_OPTIONS.items())) as channel:
        ask = channel.unary_stream(
            "/grpc.health.v1.Health/Watch",
            request_serializer=health_pb2.HealthCheckRequest.SerializeToString,
            response_deserializer=health_pb2.HealthCheckResponse.FromString,
        )
        describe = OperationsServiceStub(channel).Describe
        while True:
            watch = ask(health_pb2.HealthCheckRequest(), wait_for_ready=True)
            try:
                async for news in watch:
                    if news.status == health_pb2.HealthCheckResponse.SERVING:
                        watch.cancel()
                        found = await describe(DescribeRequest(), timeout=_DESCRIBE_S)
                        if instance in (None, found.instance_id):
                            return
                        break
            except grpc.aio.AioRpcError:
                pass  # It went away while it was loading; its successor will answer.
            await asyncio.sleep(_REDIAL_S)


async def answers(target: str, within_s: float) -> bool:
    """Whether anything is answered at ``target`` to a question after its health in that time."""
    async with grpc.aio.insecure_channel(target, options=list(_OPTIONS.items())) as channel:
        check = channel.unary_unary(
            "/grpc.health.v1.Health/Check",
            request_serializer=health_pb2.HealthCheckRequest.SerializeToString,
            response_deserializer=health_pb2.HealthCheckResponse.FromString,
        )
        try:
            await check(health_pb2.HealthCheckRequest(), timeout=within_s, wait_for_ready=True)
        except grpc.aio.AioRpcError as error:
            return error.code() != grpc.StatusCode.DEADLINE_EXCEEDED
    return True
