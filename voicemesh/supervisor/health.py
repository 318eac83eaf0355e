"""Is it serving? Asked over gRPC, as any client would."""

from __future__ import annotations

import asyncio

import grpc
import grpc.aio
from grpc_health.v1 import health_pb2

from voicemesh.grpc_client import CHANNEL_OPTIONS

# The process is on this machine and about to open its port: dial it often.
_REDIAL_OPTIONS = {
    **dict(CHANNEL_OPTIONS),
    "grpc.initial_reconnect_backoff_ms": 50,
    "grpc.max_reconnect_backoff_ms": 100,
    "grpc.use_local_subchannel_pool": 1,  # No back-off left over from its predecessor.
}
_REDIAL_S = 0.1


async def serving(target: str) -> None:
    """Wait until the service at ``target`` says SERVING, however long that takes."""
    async with grpc.aio.insecure_channel(target, options=list(_REDIAL_OPTIONS.items())) as channel:
        ask = channel.unary_stream(
            "/grpc.health.v1.Health/Watch",
            request_serializer=health_pb2.HealthCheckRequest.SerializeToString,
            response_deserializer=health_pb2.HealthCheckResponse.FromString,
        )
        while True:
            watch = ask(health_pb2.HealthCheckRequest(), wait_for_ready=True)
            try:
                async for news in watch:
                    if news.status == health_pb2.HealthCheckResponse.SERVING:
                        watch.cancel()
                        return
            except grpc.aio.AioRpcError:
                pass  # It went away while it was loading; its successor will answer.
            await asyncio.sleep(_REDIAL_S)
