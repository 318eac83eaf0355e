"""The life of a service: loading, serving, draining, stopped."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from grpc_health.v1 import health_pb2
from grpc_health.v1.health_pb2_grpc import HealthStub
from grpc_reflection.v1alpha import reflection_pb2
from grpc_reflection.v1alpha.reflection_pb2_grpc import ServerReflectionStub

from voicemesh.errors import Busy, SettingsError, Unavailable
from voicemesh.grpc_client import open_channel
from voicemesh.v1 import operations_pb2
from voicemesh.v1.operations_pb2_grpc import OperationsServiceStub

SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING


async def _health(channel: Any, service: str = "") -> int:
    stub: Any = HealthStub(channel)
    status: int = (await stub.Check(health_pb2.HealthCheckRequest(service=service))).status
    return status


async def test_health_follows_loading_and_draining(echoing: Any) -> None:
    async with echoing(started=False, loads_forever=True) as echo:
        starting = asyncio.ensure_future(echo.server.start())
        await echo.service.loading.wait()
        async with open_channel(f"127.0.0.1:{echo.server.port}") as channel:
            request = health_pb2.HealthCheckRequest(service="voicemesh.v1.LanguageModelService")
            watch: Any = channel.unary_stream(
                "/grpc.health.v1.Health/Watch",
                request_serializer=health_pb2.HealthCheckRequest.SerializeToString,
                response_deserializer=health_pb2.HealthCheckResponse.FromString,
            )(request, wait_for_ready=True)
            assert (await watch.read()).status == NOT_SERVING
            described = await OperationsServiceStub(channel).Describe(
                operations_pb2.DescribeRequest()
            )
            assert described.state == operations_pb2.PROCESS_STATE_STARTING
            assert not starting.done()

            echo.service.gate.set()
            assert (await watch.read()).status == SERVING
            assert await _health(channel) == SERVING
            await starting

            stopping = asyncio.ensure_future(echo.server.stop())
            assert (await watch.read()).status == NOT_SERVING
            await stopping
        assert echo.service.closed


async def test_reflection_lists_what_is_served(echoing: Any) -> None:
    async with echoing() as echo:
        stub: Any = ServerReflectionStub(echo.channel)
        call = stub.ServerReflectionInfo()
        await call.write(reflection_pb2.ServerReflectionRequest(list_services=""))
        answer = await call.read()
        await call.done_writing()
    names = {service.name for service in answer.list_services_response.service}
    assert names == {
        "voicemesh.v1.LanguageModelService",
        "voicemesh.v1.OperationsService",
        "grpc.health.v1.Health",
        "grpc.reflection.v1alpha.ServerReflection",
    }


async def test_a_process_describes_itself(echoing: Any, saying: Any) -> None:
    async with echoing(slots=2) as echo:
        stream = echo.stream()
        await saying(stream, "hello")
        await stream.read()
        stub = OperationsServiceStub(echo.channel)
        described = await stub.Describe(operations_pb2.DescribeRequest())
        assert (described.service, described.engine) == ("echo", "parrot")
        assert described.state == operations_pb2.PROCESS_STATE_SERVING
        assert (described.slots.total, described.slots.used) == (2, 1)
        devices = (await stub.ListDevices(operations_pb2.ListDevicesRequest())).devices
        assert [(d.name, d.healthy) for d in devices] == [("cpu", True)]
        await stream.half_close()


async def test_a_drain_gives_notice_lets_streams_finish_and_refuses_new_ones(
    echoing: Any, saying: Any, read_to_end: Any
) -> None:
    async with echoing() as echo:
        live = echo.stream()
        await saying(live, "one")
        assert (await live.read()).HasField("started")
        assert (await live.read()).delta.text == "one"

        answer = await OperationsServiceStub(echo.channel).Drain(
            operations_pb2.DrainRequest(grace_ms=60_000)
        )
        assert answer.live_streams == 1
        await echo.server.wait()
        stopping = asyncio.ensure_future(echo.server.stop())
        assert (await live.read()).drain.grace_ms == 60_000

        late = echo.stream()
        with pytest.raises(Unavailable, match="stopping"):
            await read_to_end(late)

        await saying(live, "two")
        assert (await live.read()).delta.text == "two"
        assert not stopping.done()
        await live.half_close()
        assert await live.read() is None
        await stopping
        assert echo.service.closed


async def test_a_stream_that_outlasts_the_grace_is_ended(
    echoing: Any, saying: Any, read_to_end: Any
) -> None:
    async with echoing(drain_grace_s=0.01) as echo:
        live = echo.stream()
        await saying(live, "one")
        assert (await live.read()).HasField("started")
        stopping = asyncio.ensure_future(echo.server.stop())
        with pytest.raises(Unavailable):
            await read_to_end(live)
        await stopping


async def test_one_stream_too_many_is_refused_and_served_when_one_ends(
    echoing: Any, saying: Any
) -> None:
    async with echoing(slots=1) as echo:
        first = echo.stream()
        assert (await first.read()).HasField("started")
        second = echo.stream()
        with pytest.raises(Busy) as raised:
            await second.read()
        assert raised.value.retry_after_ms > 0
        await first.half_close()
        assert await first.read() is None
        third = echo.stream()
        assert (await third.read()).HasField("started")
        await third.half_close()
        assert await third.read() is None


async def test_a_client_that_vanishes_gives_its_slot_back(echoing: Any) -> None:
    async with echoing(slots=1) as echo:
        async with open_channel(f"127.0.0.1:{echo.server.port}"):
            stream = echo.stream()
            assert (await stream.read()).HasField("started")
            stream.cancel()
        await echo.service.admission.idle()
        assert echo.service.streams == set()


async def test_a_taken_port_is_refused_with_its_setting(echoing: Any) -> None:
    async with (
        echoing() as first,
        echoing(started=False, port=first.server.port) as second,
    ):
        with pytest.raises(SettingsError, match=r"Set echo\.port to a free one") as raised:
            await second.server.start()
        assert raised.value.field == "echo.port"
        await second.server.stop()


@pytest.mark.parametrize("flood", ["flood", "flood-aside"])
async def test_a_client_that_never_reads_loses_its_stream_not_the_services_memory(
    echoing: Any, saying: Any, read_to_end: Any, flood: str
) -> None:
    async with echoing(outbox=20, slots=1) as echo:
        stream = echo.stream()
        assert (await stream.read()).HasField("started")
        await saying(stream, flood)
        await echo.service.admission.idle()  # The stream has ended, though nobody read.

        other = echo.stream()
        assert (await other.read()).HasField("started")
        await other.half_close()
        with pytest.raises(Busy, match="does not read"):
            await read_to_end(stream)
