"""One place where the errors of handlers become gRPC status."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import grpc
import grpc.aio

from voicemesh import metrics
from voicemesh.enums import short_name
from voicemesh.errors import InternalError, VoiceMeshError, abort
from voicemesh.server.repeats import Repeats
from voicemesh.v1 import common_pb2 as pb

log = logging.getLogger(__name__)

_UNIMPLEMENTED = grpc.StatusCode.UNIMPLEMENTED
_refusals = Repeats()


def _count(error: VoiceMeshError, stage: pb.Stage.ValueType) -> None:
    service = short_name(pb.Stage, stage)
    code = short_name(pb.ErrorCode, error.code)
    metrics.ERRORS.labels(service, code).inc()


@asynccontextmanager
async def rpc_errors(
    context: grpc.aio.ServicerContext[Any, Any], stage: pb.Stage.ValueType
) -> AsyncIterator[None]:
    """Map what a handler raises: our errors by the tree, others to INTERNAL.

    A cancelled handler (the client went away) passes through untouched.
    """
    try:
        yield
    except VoiceMeshError as error:
        _count(error, stage)
        # Who is told to ask again soon does so, five times a second.
        if (sentence := _refusals.said(f"refused: {error}")) is not None:
            log.info("%s", sentence)
        await abort(context, error, stage)
    except (grpc.aio.AbortError, grpc.aio.BaseError):
        raise
    except Exception as error:
        if context.cancelled():
            return  # gRPC raises oddly when the client goes away during a write.
        if isinstance(error, NotImplementedError) and context.code() == _UNIMPLEMENTED:
            # Of a generated base class: it set the status, which grpc.aio does not send.
            await context.abort(_UNIMPLEMENTED, context.details())
        log.exception("unexpected error in a handler")
        ours = InternalError("internal error; the service's log has the details")
        _count(ours, stage)
        await abort(context, ours, stage)
