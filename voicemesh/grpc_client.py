"""The client side of gRPC: channels, and streams whose errors are ours."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Generic, TypeVar, cast

import grpc
import grpc.aio

from voicemesh.enums import short_name
from voicemesh.errors import Unavailable, VoiceMeshError, from_rpc
from voicemesh.v1 import common_pb2 as pb

Q = TypeVar("Q")
R = TypeVar("R")

MAX_MESSAGE_BYTES = 8 * 1024 * 1024
"""Of one message, in either direction. Larger ones are refused by gRPC itself."""

# A dead service is back within seconds under a supervisor, so reconnects are
# tried early and often; gRPC's own defaults wait up to 20 s.
CHANNEL_OPTIONS: Sequence[tuple[str, int]] = (
    ("grpc.keepalive_time_ms", 20_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.max_pings_without_data", 0),
    ("grpc.initial_reconnect_backoff_ms", 100),
    # In truth how long an attempt to connect may take, SETTINGS included: two round trips of
    # the link, and whatever a busy service takes to answer. A refused one ends at once.
    ("grpc.min_reconnect_backoff_ms", 5_000),
    ("grpc.max_reconnect_backoff_ms", 1_000),
    ("grpc.enable_http_proxy", 0),  # The mesh's machines are near; a proxy is for elsewhere.
    ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
)

_BROKEN_WRITE = "Internal error from Core"


def open_channel(target: str) -> grpc.aio.Channel:
    """A channel to ``host:port``; it belongs to the running event loop."""
    return grpc.aio.insecure_channel(target, options=CHANNEL_OPTIONS)


class Duplex(Generic[Q, R]):
    """A bidirectional stream: one reader, one writer, errors from our tree.

    Do not cancel a task that waits in ``write`` or ``read`` unless the stream is
    to end: gRPC cancels the whole RPC with it.
    """

    def __init__(self, call: grpc.aio.StreamStreamCall[Q, R], stage: pb.Stage.ValueType) -> None:
        """``stage`` names the service in errors."""
        self._call = call
        self._stage = stage
        self._error: VoiceMeshError | None = None  # As the reader was told it.

    async def write(self, message: Q) -> None:
        """Send ``message``; the stream's own error if it has ended."""
        try:
            await self._call.write(message)
        except (asyncio.InvalidStateError, grpc.aio.AioRpcError):
            raise self._error or await self._failure() from None

    async def read(self) -> R | None:
        """The next message; None when the stream ended well."""
        try:
            message = await self._call.read()
        except grpc.aio.AioRpcError as error:
            self._error = self._ours(error)
            raise self._error from None
        if message is grpc.aio.EOF:
            if await self._call.code() != grpc.StatusCode.OK:
                raise await self._failure()
            return None
        return cast(R, message)

    async def _failure(self) -> VoiceMeshError:
        name = short_name(pb.Stage, self._stage)
        code = await self._call.code()
        if code == grpc.StatusCode.OK:
            return Unavailable(f"{name}: the service ended the stream", stage=self._stage)
        error = grpc.aio.AioRpcError(
            code,
            await self._call.initial_metadata(),
            await self._call.trailing_metadata(),
            await self._call.details(),
        )
        return self._ours(error)

    def _ours(self, error: grpc.aio.AioRpcError) -> VoiceMeshError:
        # A write that is under way when the stream ends overwrites the stream's
        # status with one of gRPC's own that says nothing; only the reader, when
        # it comes first, learns the true one.
        if error.details() == _BROKEN_WRITE:
            name = short_name(pb.Stage, self._stage)
            return Unavailable(f"{name}: the stream broke off", stage=self._stage)
        return from_rpc(error, self._stage)

    async def half_close(self) -> None:
        """Say that nothing more will be written."""
        if not self._call.done():
            try:
                await self._call.done_writing()
            except (asyncio.InvalidStateError, grpc.aio.AioRpcError):
                return  # It has ended meanwhile; the reader tells how.

    def cancel(self) -> None:
        """End the stream at once; for good-byes that cannot wait."""
        self._call.cancel()
