"""The client side of a stream: its errors are ours, whichever side of it fails."""

from __future__ import annotations

from typing import Any

import pytest

from voicemesh.errors import Busy, Unavailable
from voicemesh.v1.common_pb2 import STAGE_LLM


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
