"""Structured logs with the conversation and the stamp; never audio or text above debug."""

from __future__ import annotations

import contextvars
import json
import logging
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from voicemesh.settings import MeshSettings
from voicemesh.stamps import label
from voicemesh.v1.common_pb2 import Stamp

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


class _Base(logging.Formatter):
    def __init__(self, service: str) -> None:
        super().__init__()
        self._service = service


class _Text(_Base):
    def format(self, record: logging.LogRecord) -> str:
        clock = time.strftime("%H:%M:%S", time.localtime(record.created))
        fields = "".join(f" {key}={value}" for key, value in _bound.get().items())
        line = (
            f"{clock}.{int(record.msecs):03d} {record.levelname.lower():7} "
            f"{self._service}: {record.getMessage()}{fields}"
        )
        return f"{line}\n{self.formatException(record.exc_info)}" if record.exc_info else line


class _Json(_Base):
    def format(self, record: logging.LogRecord) -> str:
        entry: dict[str, Any] = {
            "time": round(record.created, 3),
            "level": record.levelname.lower(),
            "service": self._service,
            "logger": record.name,
            "message": record.getMessage(),
            **_bound.get(),
        }
        if record.exc_info:
            entry["exception"] = self.formatException(record.exc_info)
        return json.dumps(entry, ensure_ascii=False)


def configure(service: str, mesh: MeshSettings) -> None:
    """Send this process's logs to standard error as the settings say."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Json(service) if mesh.log_format == "json" else _Text(service))
    logging.basicConfig(level=mesh.log_level.upper(), handlers=[handler], force=True)
