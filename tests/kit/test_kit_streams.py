"""The client side of a stream: its errors are ours, whichever side of it fails."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from voicemesh.errors import Busy, Unavailable
from voicemesh.grpc_client import open_channel
from voicemesh.v1 import operations_pb2
from voicemesh.v1.common_pb2 import STAGE_LLM
from voicemesh.v1.operations_pb2_grpc import OperationsServiceStub


async def test_a_stream_that_ends_well_reads_none(echoing: Any, saying: Any) -> None:
    async with echoing() as echo:
        stream = echo.stream()
        await saying(stream, "hello")
        assert (await stream.read()).HasField("started")
        assert (await stream.read()).delta.text == "hello"
        await stream.half_close()
        assert await stream.read() is None
        await stream.half_close()  # Once more does no harm.


async def test_a_write_after_the_failure_raises_the_streams_own_error(
    echoing: Any, saying: Any, read_to_end: Any
) -> None:
    async with echoing() as echo:
        stream = echo.stream()
        await saying(stream, "raise Busy")
        with pytest.raises(Busy):
            await read_to_end(stream)
        with pytest.raises(Busy, match="Busy happened"):
            await saying(stream, "again")


async def test_a_write_after_a_good_end_says_that_the_service_ended_it(
    echoing: Any, saying: Any, read_to_end: Any
) -> None:
    async with echoing() as echo:
        stream = echo.stream()
        await stream.half_close()
        await read_to_end(stream)
        with pytest.raises(Unavailable, match="llm: the service ended the stream"):
            await saying(stream, "again")


async def test_a_service_that_goes_away_ends_its_streams_with_its_stage(
    echoing: Any, read_to_end: Any
) -> None:
    async with echoing(drain_grace_s=0) as echo:
        stream = echo.stream()
        assert (await stream.read()).HasField("started")
        await echo.server.stop()
        with pytest.raises(Unavailable) as raised:
            await read_to_end(stream)
        assert raised.value.stage == STAGE_LLM
        assert raised.value.retryable


@asynccontextmanager
async def reached_late(port: int) -> AsyncIterator[str]:
    """A target behind which the service answers a connection only after a second."""

    async def passed_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(4096):
            writer.write(data)
        writer.close()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        greeting = bytearray()
        try:
            async with asyncio.timeout(1):
                while data := await reader.read(4096):
                    greeting += data
        except TimeoutError:  # The client has waited.
            to_service, service = await asyncio.open_connection("127.0.0.1", port)
            service.write(greeting)
            await asyncio.gather(passed_on(reader, service), passed_on(to_service, writer))
        writer.close()

    async with await asyncio.start_server(connected, "127.0.0.1", 0) as gate:
        yield f"127.0.0.1:{gate.sockets[0].getsockname()[1]}"


async def test_a_service_that_is_slow_to_answer_a_connection_is_not_taken_for_dead(
    echoing: Any,
) -> None:
    async with (
        echoing() as echo,
        reached_late(echo.server.port) as target,
        open_channel(target) as channel,
    ):
        operations = OperationsServiceStub(channel)
        assert (await operations.Describe(operations_pb2.DescribeRequest())).service == "echo"
