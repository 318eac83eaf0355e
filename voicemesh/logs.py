"""Structured logs with the conversation and the stamp; never audio or text above debug.

A record is a line, or as JSON exactly one: what others chose (ids, texts of errors) is
escaped, so that nobody forges a line or paints over a terminal. With ``log_format = "json"``
warnings, uncaught exceptions, libraries that log, and engines' child processes do the same.
"""

from __future__ import annotations

import contextvars
import json
import logging
import os
import re
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import TYPE_CHECKING, Any

from voicemesh.stamps import label
from voicemesh.v1.common_pb2 import Stamp

if TYPE_CHECKING:  # An engine's child process logs as its parent does, and reads no settings.
    from voicemesh.settings import MeshSettings

log = logging.getLogger(__name__)

_INHERITED = "_VOICEMESH_LOG"
"""The environment variable that tells child processes how to log: format, level, service."""
_JSON = "json"

# What ends a line somewhere, or moves a terminal's cursor: controls, separators, and the
# marks that turn the direction of writing.
_CONTROLS = (*range(0x20), *range(0x7F, 0xA0), 0x2028, 0x2029, *range(0x202A, 0x202F))
_ISOLATES = range(0x2066, 0x206A)
_ESCAPED = {c: f"\\x{c:02x}" if c < 0x100 else f"\\u{c:04x}" for c in (*_CONTROLS, *_ISOLATES)}
_ESCAPED |= {0x0A: "\\n", 0x0D: "\\r", 0x09: "\\t"}
# json.dumps escapes those below a space itself.
_ESCAPED_IN_JSON = {c: f"\\u{c:04x}" for c in (*_CONTROLS, *_ISOLATES) if c >= 0x20}
_PLAIN = re.compile(r'[^\s"=]+')

_bound: contextvars.ContextVar[dict[str, str]] = contextvars.ContextVar("bound", default={})  # noqa: B039 - replaced, never mutated


@contextmanager
def bind(conversation_id: str | None = None, stamp: Stamp | None = None) -> Iterator[None]:
    """Every record within carries these."""
    fields = dict(_bound.get())
    if conversation_id is not None:
        fields["conversation"] = conversation_id
    if stamp is not None:
        fields["stamp"] = label(stamp)
    token = _bound.set(fields)
    try:
        yield
    finally:
        _bound.reset(token)


def one_line(text: str) -> str:
    """``text`` without what would end its line or move a terminal's cursor."""
    return text.translate(_ESCAPED)


def _message(record: logging.LogRecord) -> str:
    """The record's message, also where its arguments do not fit."""
    try:
        return record.getMessage()
    except Exception:
        return f"{record.msg} {record.args!r}"


def _field(value: str) -> str:
    """The value of a bound field, which may be anybody's: quoted where it could be two."""
    return one_line(value if _PLAIN.fullmatch(value) else json.dumps(value, ensure_ascii=False))


class _Base(logging.Formatter):
    def __init__(self, service: str) -> None:
        super().__init__()
        self._service = service

    def _details(self, record: logging.LogRecord) -> str:
        """Traceback and stack, on lines of their own; empty where there are none."""
        parts = [self.formatException(record.exc_info)] if record.exc_info else []
        if record.stack_info:
            parts.append(record.stack_info)
        return "\n".join(parts)


class _Text(_Base):
    def format(self, record: logging.LogRecord) -> str:
        clock = time.strftime("%H:%M:%S", time.localtime(record.created))
        fields = "".join(f" {key}={_field(value)}" for key, value in _bound.get().items())
        line = (
            f"{clock}.{int(record.msecs):03d} {record.levelname.lower():7} "
            f"{self._service}: {one_line(_message(record))}{fields}"
        )
        # Indented: no line of an exception's text can be taken for a record.
        details = [f"  | {one_line(text)}" for text in self._details(record).splitlines()]
        return "\n".join([line, *details])


class _Json(_Base):
    def format(self, record: logging.LogRecord) -> str:
        entry: dict[str, Any] = {
            "time": round(record.created, 3),
            "level": record.levelname.lower(),
            "service": self._service,
            "logger": record.name,
            "message": _message(record),
            **_bound.get(),
        }
        if details := self._details(record):
            entry["exception"] = details
        return json.dumps(entry, ensure_ascii=False).translate(_ESCAPED_IN_JSON)


def configure(service: str, mesh: MeshSettings) -> None:
    """Send this process's logs to standard error as the settings say, its children's too."""
    os.environ[_INHERITED] = f"{mesh.log_format} {mesh.log_level} {service}"
    if mesh.log_format == _JSON:
        # gRPC's C core writes lines of its own; what goes wrong is told as a status anyway.
        os.environ.setdefault("GRPC_VERBOSITY", "NONE")
    _configure(service, mesh.log_format, mesh.log_level)


def inherit() -> None:
    """Log as the process does that started this one; nothing where that does not say how."""
    how = os.environ.get(_INHERITED, "").split(" ", 2)
    if len(how) == 3:
        log_format, level, service = how
        _configure(service, log_format, level)


def _configure(service: str, log_format: str, level: str) -> None:
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Json(service) if log_format == _JSON else _Text(service))
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    logging.captureWarnings(True)
    sys.excepthook = _uncaught
    threading.excepthook = _uncaught_in_thread


def writes_json() -> bool:
    """Whether this process's lines are JSON."""
    return any(isinstance(handler.formatter, _Json) for handler in logging.getLogger().handlers)


def say(line: str) -> None:
    """A line for whoever started this process, on standard output; JSON where logs are."""
    formatters = (handler.formatter for handler in logging.getLogger().handlers)
    formatter = next((each for each in formatters if isinstance(each, _Json)), None)
    if formatter is not None:
        record = log.makeRecord(log.name, logging.INFO, "", 0, line, (), None)
        line = formatter.format(record)
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def _uncaught(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    if issubclass(kind, KeyboardInterrupt):
        sys.__excepthook__(kind, error, trace)
    else:
        log.critical("uncaught exception: %s", error, exc_info=(kind, error, trace))


def _uncaught_in_thread(args: threading.ExceptHookArgs) -> None:
    if args.exc_value is not None and not isinstance(args.exc_value, SystemExit):
        name = args.thread.name if args.thread else "?"
        log.error("thread %s failed: %s", name, args.exc_value, exc_info=args.exc_value)
