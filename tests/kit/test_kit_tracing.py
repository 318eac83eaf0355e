"""Spans of one turn share a trace over all services, and reach a collector."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import grpc.aio
import pytest
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2 as otlp
from opentelemetry.proto.collector.trace.v1.trace_service_pb2_grpc import (
    TraceServiceServicer,
    add_TraceServiceServicer_to_server,
)

from voicemesh import tracing
from voicemesh.v1.common_pb2 import Stamp


class Collector(TraceServiceServicer):
    """Keeps the spans that it is sent, by the service that sent them."""

    def __init__(self) -> None:
        self.spans: list[tuple[str, Any]] = []

    async def Export(self, request: Any, context: Any) -> Any:
        for resource in request.resource_spans:
            (service,) = [
                attribute.value.string_value
                for attribute in resource.resource.attributes
                if attribute.key == "service.name"
            ]
            for scope in resource.scope_spans:
                self.spans += [(service, span) for span in scope.spans]
        return otlp.ExportTraceServiceResponse()


@asynccontextmanager
async def _collector() -> AsyncIterator[tuple[Collector, str]]:
    collector = Collector()
    server = grpc.aio.server()
    add: Any = add_TraceServiceServicer_to_server
    add(collector, server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    yield collector, f"http://127.0.0.1:{port}"
    await server.stop(None)


@pytest.fixture(autouse=True)
def _off_again() -> Iterator[None]:
    yield
    tracing.close()


def test_ids_follow_from_conversation_epoch_and_turn_alone() -> None:
    stamp = Stamp(epoch=1, turn=2, revision=3, attempt=4)
    ids = tracing.turn_ids("c", stamp)
    assert ids == tracing.turn_ids("c", Stamp(epoch=1, turn=2))
    assert ids != tracing.turn_ids("d", stamp)
    assert ids != tracing.turn_ids("c", Stamp(epoch=2, turn=2))
    assert ids != tracing.turn_ids("c", Stamp(epoch=1, turn=3))
    assert 0 < ids[0] < 2**128
    assert 0 < ids[1] < 2**64


def test_tracing_is_off_where_no_collector_is_set() -> None:
    tracing.configure("asr", "")
    with tracing.span("recognise", "c", Stamp(turn=1)):
        pass
    tracing.turn_span("c", Stamp(turn=1), 0, 1)


async def test_spans_of_a_turn_from_all_services_hang_below_its_root() -> None:
    stamp = Stamp(epoch=1, turn=5)
    now = time.time_ns()
    async with _collector() as (collector, endpoint):
        for service in ("asr", "llm", "orchestrator"):
            tracing.configure(service, endpoint)
            with tracing.span("stage", "c1", stamp, words=3):
                pass
            if service == "orchestrator":
                tracing.turn_span("c1", stamp, now - 1_000_000, now, outcome="answered")
            # The exporter blocks, and the collector lives on this event loop.
            await asyncio.to_thread(tracing.close)

    trace_id, root_id = tracing.turn_ids("c1", stamp)
    assert {span.trace_id for _, span in collector.spans} == {trace_id.to_bytes(16, "big")}
    roots = [(name, span) for name, span in collector.spans if span.name == "turn"]
    ((owner, root),) = roots
    assert owner == "voicemesh-orchestrator"
    assert root.span_id == root_id.to_bytes(8, "big")
    assert root.parent_span_id == b""
    assert root.end_time_unix_nano == now
    stages = [(name, span) for name, span in collector.spans if span.name == "stage"]
    assert [name for name, _ in stages] == [
        f"voicemesh-{n}" for n in ("asr", "llm", "orchestrator")
    ]
    assert {span.parent_span_id for _, span in stages} == {root.span_id}
    assert len({span.span_id for _, span in stages}) == 3
