"""Services that a test has written itself, each to fail in its own way."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import grpc
import grpc.aio

from voicemesh.v1 import dialog_pb2

TEXT_ONLY = dialog_pb2.ConverseConfig()
Context = grpc.aio.ServicerContext[Any, Any]


@asynccontextmanager
async def offering(
    add: Callable[[Any, grpc.aio.Server], None], servicer: Any
) -> AsyncIterator[str]:
    """A service that a test has written, on a free port."""
    server = grpc.aio.server()
    add(servicer, server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        await server.stop(None)
