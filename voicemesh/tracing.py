"""OpenTelemetry spans: one trace per turn over all services; off by default.

A conversation's streams stay open over many turns, so a trace cannot travel in
their metadata. It need not travel at all: trace and root span ids are derived
from (conversation, epoch, turn), which every message's stamp already carries.
"""

from __future__ import annotations

import contextvars
import hashlib
import importlib
import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from voicemesh.errors import SettingsError
from voicemesh.stamps import label
from voicemesh.v1.common_pb2 import Stamp

if TYPE_CHECKING:
    from opentelemetry.context import Context
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.trace import Tracer

# A collector that is down must not hold up a process that stops.
_EXPORT_S = 2

_provider: TracerProvider | None = None
_tracer: Tracer | None = None
_root: contextvars.ContextVar[tuple[int, int] | None] = contextvars.ContextVar("root", default=None)


def turn_ids(conversation_id: str, stamp: Stamp) -> tuple[int, int]:
    """The 128-bit trace id and the 64-bit id of the root span of a turn."""
    key = f"{conversation_id}/{stamp.epoch}/{stamp.turn}".encode()
    digest = hashlib.sha256(key).digest()
    return int.from_bytes(digest[:16], "big"), int.from_bytes(digest[16:24], "big")


def require_opentelemetry() -> None:
    """SettingsError where traces are wanted, but cannot be made here."""
    try:
        importlib.import_module("opentelemetry.exporter.otlp.proto.grpc.trace_exporter")
        importlib.import_module("opentelemetry.sdk.trace.export")
    except ImportError:
        raise SettingsError(
            "mesh.tracing_endpoint is set, but OpenTelemetry is not installed; "
            "pip install 'voicemesh[tracing]'",
            field="mesh.tracing_endpoint",
        ) from None


def configure(service: str, endpoint: str) -> None:
    """Export spans to an OTLP collector; an empty endpoint leaves tracing off."""
    global _provider, _tracer
    if not endpoint:
        return
    require_opentelemetry()
    from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor
    from opentelemetry.sdk.trace.id_generator import IdGenerator

    class TurnIds(IdGenerator):
        """The ids of the root span are set; all others are random."""

        def generate_trace_id(self) -> int:
            root = _root.get()
            return root[0] if root else random.getrandbits(128) or 1

        def generate_span_id(self) -> int:
            root = _root.get()
            return root[1] if root else random.getrandbits(64) or 1

    provider = TracerProvider(
        resource=Resource.create({"service.name": f"voicemesh-{service}"}),
        id_generator=TurnIds(),
    )
    exporter = OTLPSpanExporter(endpoint=endpoint, insecure=True, timeout=_EXPORT_S)
    provider.add_span_processor(BatchSpanProcessor(exporter))
    _provider, _tracer = provider, provider.get_tracer("voicemesh")


def _attributes(conversation_id: str, stamp: Stamp, more: dict[str, Any]) -> dict[str, Any]:
    return {
        "voicemesh.conversation": conversation_id,
        "voicemesh.stamp": label(stamp),
        **more,
    }


def _within_turn(conversation_id: str, stamp: Stamp) -> Context:
    """The context of spans whose parent is the turn's root span."""
    from opentelemetry import trace

    trace_id, root_id = turn_ids(conversation_id, stamp)
    parent = trace.SpanContext(
        trace_id, root_id, is_remote=True, trace_flags=trace.TraceFlags(trace.TraceFlags.SAMPLED)
    )
    return trace.set_span_in_context(trace.NonRecordingSpan(parent))


@contextmanager
def span(name: str, conversation_id: str, stamp: Stamp, **attributes: Any) -> Iterator[None]:
    """A span of one stage within the turn's trace."""
    if _tracer is None:
        yield
        return
    context = _within_turn(conversation_id, stamp)
    fields = _attributes(conversation_id, stamp, attributes)
    with _tracer.start_as_current_span(name, context=context, attributes=fields):
        yield


def past_span(
    name: str, conversation_id: str, stamp: Stamp, start_ns: int, **attributes: Any
) -> None:
    """Record a span that ends now, for work whose turn is known only at its end.

    ``start_ns`` is in Unix nanoseconds.
    """
    if _tracer is None:
        return
    context = _within_turn(conversation_id, stamp)
    fields = _attributes(conversation_id, stamp, attributes)
    _tracer.start_span(name, context=context, start_time=start_ns, attributes=fields).end()


def turn_span(
    conversation_id: str, stamp: Stamp, start_ns: int, end_ns: int, **attributes: Any
) -> None:
    """Record the root span of a turn that is over; times in Unix nanoseconds."""
    if _tracer is None:
        return
    from opentelemetry.context import Context

    token = _root.set(turn_ids(conversation_id, stamp))
    try:
        root = _tracer.start_span(
            "turn",
            context=Context(),
            start_time=start_ns,
            attributes={"voicemesh.conversation": conversation_id, **attributes},
        )
    finally:
        _root.reset(token)
    root.end(end_ns)


def close() -> None:
    """Send what waits and stop exporting; called when the process stops."""
    global _provider, _tracer
    if _provider is not None:
        _provider.shutdown()
    _provider = _tracer = None
