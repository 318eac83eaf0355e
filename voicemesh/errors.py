"""The errors of the mesh, one tree, mapped once to gRPC.

    VoiceMeshError                 code          gRPC status
    ├── InvalidArgument            INVALID_ARGUMENT  INVALID_ARGUMENT
    │   ├── ProtocolViolation      PROTOCOL          INVALID_ARGUMENT
    │   └── Unsupported            UNSUPPORTED       INVALID_ARGUMENT
    ├── SettingsError              INVALID_ARGUMENT  INVALID_ARGUMENT
    ├── NotFound                   NOT_FOUND         NOT_FOUND
    ├── Busy                       BUSY              RESOURCE_EXHAUSTED   retryable
    ├── DeadlineExceeded           DEADLINE          DEADLINE_EXCEEDED    retryable
    ├── Unavailable                UNAVAILABLE       UNAVAILABLE          retryable
    ├── EngineError                ENGINE            INTERNAL             retryable
    │   └── EngineMissing          ENGINE            INTERNAL
    ├── Superseded                 SUPERSEDED        ABORTED
    ├── Forbidden                  FORBIDDEN         PERMISSION_DENIED
    └── InternalError              INTERNAL          INTERNAL

Every message says what happened and what to do about it. An error crosses the
wire as a voicemesh.v1.ErrorDetail: in the trailing metadata
``voicemesh-error-bin`` when it ends a stream, inside a response when the stream
lives on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, NoReturn

from voicemesh.enums import short_name
from voicemesh.v1 import common_pb2 as pb

if TYPE_CHECKING:  # A command that dials nobody, such as --version, does without gRPC.
    import grpc
    import grpc.aio

ERROR_METADATA_KEY = "voicemesh-error-bin"


class VoiceMeshError(Exception):
    """Base of all errors. ``str(error)`` is a sentence for a person."""

    code: ClassVar[pb.ErrorCode.ValueType] = pb.ERROR_CODE_INTERNAL
    retryable: ClassVar[bool] = False
    exit_status: ClassVar[int] = 1
    """With which a command that it ends exits; docs/operations.md lists them."""

    def __init__(
        self,
        message: str,
        *,
        field: str = "",
        stage: pb.Stage.ValueType = pb.STAGE_UNSPECIFIED,
        retry_after_ms: int = 0,
    ) -> None:
        """``field`` is the path of the wrong field, ``stage`` where it happened."""
        super().__init__(message)
        self.message = message
        self.field = field
        self.stage = stage
        self.retry_after_ms = retry_after_ms

    @property
    def status(self) -> grpc.StatusCode:
        """The status with which it ends an RPC."""
        from grpc import StatusCode

        return StatusCode[_STATUS[self.code]]

    def detail(self, stage: pb.Stage.ValueType = pb.STAGE_UNSPECIFIED) -> pb.ErrorDetail:
        """The error as it crosses the wire; ``stage`` fills in where none is set."""
        return pb.ErrorDetail(
            code=self.code,
            stage=self.stage or stage,
            message=self.message,
            field=self.field,
            retryable=self.retryable,
            retry_after_ms=self.retry_after_ms,
        )


class InvalidArgument(VoiceMeshError):
    """A field has a value that cannot be accepted."""

    code = pb.ERROR_CODE_INVALID_ARGUMENT


class ProtocolViolation(InvalidArgument):
    """A message came in the wrong order."""

    code = pb.ERROR_CODE_PROTOCOL


class Unsupported(InvalidArgument):
    """The engine lacks a capability that was asked for."""

    code = pb.ERROR_CODE_UNSUPPORTED


class SettingsError(VoiceMeshError):
    """A setting is unknown or wrong: another try would end the same way."""

    code = pb.ERROR_CODE_INVALID_ARGUMENT
    exit_status = 2


class PortTaken(SettingsError):
    """Another process has a port that is to be bound."""

    exit_status = 3


class NotFound(VoiceMeshError):
    """A named thing does not exist."""

    code = pb.ERROR_CODE_NOT_FOUND


class Busy(VoiceMeshError):
    """Every slot is taken."""

    code = pb.ERROR_CODE_BUSY
    retryable = True


class DeadlineExceeded(VoiceMeshError):
    """A stage did not answer in its time."""

    code = pb.ERROR_CODE_DEADLINE
    retryable = True


class Unavailable(VoiceMeshError):
    """A service cannot be reached or is stopping."""

    code = pb.ERROR_CODE_UNAVAILABLE
    retryable = True


class EngineError(VoiceMeshError):
    """An engine or its device failed."""

    code = pb.ERROR_CODE_ENGINE
    retryable = True


class EngineMissing(EngineError):
    """An engine, or a library that it needs, is not installed."""

    retryable = False


class DeviceMissing(EngineError):
    """The device that an engine works on is not there, or nothing can be done with it."""

    exit_status = 4


class Superseded(VoiceMeshError):
    """Another owner has taken the conversation."""

    code = pb.ERROR_CODE_SUPERSEDED


class Forbidden(VoiceMeshError):
    """The caller may not do this."""

    code = pb.ERROR_CODE_FORBIDDEN


class InternalError(VoiceMeshError):
    """A mistake of ours."""


_STATUS: dict[pb.ErrorCode.ValueType, str] = {
    pb.ERROR_CODE_INVALID_ARGUMENT: "INVALID_ARGUMENT",
    pb.ERROR_CODE_PROTOCOL: "INVALID_ARGUMENT",
    pb.ERROR_CODE_UNSUPPORTED: "INVALID_ARGUMENT",
    pb.ERROR_CODE_NOT_FOUND: "NOT_FOUND",
    pb.ERROR_CODE_BUSY: "RESOURCE_EXHAUSTED",
    pb.ERROR_CODE_DEADLINE: "DEADLINE_EXCEEDED",
    pb.ERROR_CODE_UNAVAILABLE: "UNAVAILABLE",
    pb.ERROR_CODE_ENGINE: "INTERNAL",
    pb.ERROR_CODE_SUPERSEDED: "ABORTED",
    pb.ERROR_CODE_FORBIDDEN: "PERMISSION_DENIED",
    pb.ERROR_CODE_INTERNAL: "INTERNAL",
}
"""The gRPC status of each code, by name."""

_BY_CODE: dict[int, type[VoiceMeshError]] = {
    kind.code: kind
    for kind in (
        InvalidArgument,
        ProtocolViolation,
        Unsupported,
        NotFound,
        Busy,
        DeadlineExceeded,
        Unavailable,
        EngineError,
        Superseded,
        Forbidden,
        InternalError,
    )
}

_BY_STATUS: dict[str, type[VoiceMeshError]] = {
    _STATUS[kind.code]: kind
    for kind in (
        InternalError,
        InvalidArgument,
        NotFound,
        Busy,
        DeadlineExceeded,
        Unavailable,
        Superseded,
        Forbidden,
    )
}


def from_detail(detail: pb.ErrorDetail) -> VoiceMeshError:
    """The error that an ErrorDetail describes."""
    kind = _BY_CODE.get(detail.code, InternalError)
    return kind(
        detail.message,
        field=detail.field,
        stage=detail.stage,
        retry_after_ms=detail.retry_after_ms,
    )


def from_rpc(error: grpc.aio.AioRpcError, stage: pb.Stage.ValueType) -> VoiceMeshError:
    """The error behind a failed RPC to the service of ``stage``."""
    for key, value in error.trailing_metadata() or ():
        if key == ERROR_METADATA_KEY and isinstance(value, bytes):
            carried = from_detail(pb.ErrorDetail.FromString(value))
            carried.stage = carried.stage or stage
            return carried
    kind = (
        InvalidArgument
        if _is_too_large(error)
        else _BY_STATUS.get(error.code().name, InternalError)
    )
    name = short_name(pb.Stage, stage)
    return kind(f"{name}: {_in_words(error, name)}", stage=stage)


def _is_too_large(error: grpc.aio.AioRpcError) -> bool:
    """Whether gRPC itself refused a message for its size, with the status that says busy."""
    details = error.details() or ""
    return error.code().name == "RESOURCE_EXHAUSTED" and "larger than max" in details


def _in_words(error: grpc.aio.AioRpcError, name: str) -> str:
    """What gRPC's own errors mean for a person."""
    if error.code().name == "UNAVAILABLE":
        return f"the service is gone or cannot be reached ({error.details() or 'no details'})"
    if _is_too_large(error):
        return f"the message is too large ({error.details()}); send less at once"
    if error.code().name == "UNIMPLEMENTED":
        return f"what answers there is no {name}, or another version of it; check host and port"
    return error.details() or error.code().name.lower()


async def abort(
    context: grpc.aio.ServicerContext[object, object],
    error: VoiceMeshError,
    stage: pb.Stage.ValueType,
) -> NoReturn:
    """End the RPC with ``error``'s status, text and detail."""
    detail = error.detail(stage)
    metadata = ((ERROR_METADATA_KEY, detail.SerializeToString()),)
    text = f"{error.field}: {error.message}" if error.field else error.message
    await context.abort(error.status, text, metadata)
    raise AssertionError("abort always raises")


def failure_of(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """What is to be raised where the tasks of a TaskGroup have failed.

    The first VoiceMeshError where there is nothing else in it, otherwise the group itself.
    Not by ``except*``: what is raised within one comes out as another group, but for late
    versions of Python 3.11 and later ones, and Debian 12 has 3.11.2.
    """
    ours, others = group.split(VoiceMeshError)
    error: BaseException | None = ours
    if error is None or others is not None:
        return group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
