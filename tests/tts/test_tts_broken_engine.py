"""An engine with a mistake in it: whoever waits for the reply is told."""

from __future__ import annotations

from collections.abc import AsyncGenerator

import numpy as np
import pytest

from voicemesh.v1 import common_pb2
from voicemesh_tts.engines.engine import SpokenChunk

from .written_engine import RATE_HERTZ, reply_by


async def broken(text: str) -> AsyncGenerator[SpokenChunk, None]:
    """Fails in its second chunk, and not as engines are meant to."""
    yield SpokenChunk(np.zeros(RATE_HERTZ // 10, np.int16), 0, len(text))
    raise IndexError("no such sample")


async def test_a_mistake_of_an_engine_is_told_in_the_stream(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with reply_by(broken) as (reply, said):
        await reply.run()
    assert said[-1].error.code == common_pb2.ERROR_CODE_INTERNAL
    assert said[-1].error.stage == common_pb2.STAGE_TTS
    assert "log has the details" in said[-1].error.message
    assert "IndexError: no such sample" in caplog.text
