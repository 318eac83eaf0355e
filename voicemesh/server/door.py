"""The door of a service: what comes in is decoded and checked before anybody works on it."""

from __future__ import annotations

import inspect
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import grpc
import grpc.aio
from google.protobuf.message import DecodeError

from voicemesh.errors import InvalidArgument
from voicemesh.request_bounds import check_field_count, check_of
from voicemesh.server.rpc import rpc_errors
from voicemesh.v1 import common_pb2 as pb

log = logging.getLogger(__name__)

Context = grpc.aio.ServicerContext[Any, Any]
Decode = Callable[[bytes], Any]


class Door(grpc.aio.ServerInterceptor):
    """Stands before every RPC of a server, those of health and reflection too.

    A request that cannot be decoded, or a field beyond its bounds, ends the RPC with
    INVALID_ARGUMENT and the field's name; whatever a handler raises becomes a status by
    the tree of errors, also where the handler has no ``rpc_errors`` of its own.
    """

    def __init__(self, stage: pb.Stage.ValueType) -> None:
        """``stage``: whose door it is."""
        self._stage = stage
        self._guarded: dict[str, Any] = {}  # By method; only those that exist come in.

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Any]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Any:
        """The handler behind the door; see grpc.aio.ServerInterceptor."""
        handler = await continuation(handler_call_details)
        if handler is None:
            return None
        method: str = handler_call_details.method
        guarded = self._guarded.get(method)
        if guarded is None:
            guarded = self._guarded[method] = self._guard(handler, method.rpartition("/")[2])
        return guarded

    def _guard(self, handler: Any, name: str) -> Any:
        decode = _decoder(handler.request_deserializer, name)
        serializer = handler.response_serializer
        if handler.request_streaming:
            # What it raises comes out where the handler reads.
            if handler.response_streaming:
                behavior = self._streaming(handler.stream_stream, None)
                return grpc.stream_stream_rpc_method_handler(behavior, decode, serializer)
            behavior = self._answering(handler.stream_unary, None)
            return grpc.stream_unary_rpc_method_handler(behavior, decode, serializer)
        # Here it would end the RPC with UNKNOWN and a traceback: the handler decodes.
        if handler.response_streaming:
            behavior = self._streaming(handler.unary_stream, decode)
            return grpc.unary_stream_rpc_method_handler(behavior, None, serializer)
        behavior = self._answering(handler.unary_unary, decode)
        return grpc.unary_unary_rpc_method_handler(behavior, None, serializer)

    def _answering(self, behavior: Any, decode: Decode | None) -> Any:
        """A handler that returns its response."""

        async def guarded(request: Any, context: Context) -> Any:
            async with rpc_errors(context, self._stage):
                return await behavior(request if decode is None else decode(request), context)

        return guarded

    def _streaming(self, behavior: Any, decode: Decode | None) -> Any:
        """A handler that yields its responses, or writes them itself."""

        async def writing(request: Any, context: Context) -> None:
            async with rpc_errors(context, self._stage):
                await behavior(request if decode is None else decode(request), context)

        async def yielding(request: Any, context: Context) -> AsyncIterator[Any]:
            async with rpc_errors(context, self._stage):
                responses = behavior(request if decode is None else decode(request), context)
                async for response in responses:
                    yield response

        return yielding if inspect.isasyncgenfunction(behavior) else writing


def _decoder(deserialize: Callable[[bytes], Any], name: str) -> Decode:
    """Bytes to a checked request of the RPC ``name``; InvalidArgument."""
    bound: Any = deserialize  # A message class's own FromString.
    descriptor = bound.__self__.DESCRIPTOR
    check = check_of(descriptor)

    def decode(raw: bytes) -> Any:
        check_field_count(raw, descriptor)
        try:
            request = deserialize(raw)
        except DecodeError:
            raise InvalidArgument(
                f"the {len(raw)} bytes are no {descriptor.name}, which {name} takes; encode "
                "requests with the protos of this version"
            ) from None
        if check is not None:
            check(request)
        return request

    return decode
