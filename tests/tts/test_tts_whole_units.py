"""An engine that has a whole unit ready at once leaves the event loop to others meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator

import numpy as np

from voicemesh_tts.engines.engine import SpokenChunk

from .written_engine import RATE_HERTZ, reply_by

CHUNKS = 40


async def whole_unit(text: str) -> AsyncGenerator[SpokenChunk, None]:
    """Never waits between its chunks."""
    for _ in range(CHUNKS):
        yield SpokenChunk(np.zeros(RATE_HERTZ // 10, np.int16), 0, len(text))


async def test_others_come_in_between_the_chunks_of_a_unit() -> None:
    seen: set[int] = set()
    loop = asyncio.get_running_loop()
    with reply_by(whole_unit) as (reply, said):
        speaking = asyncio.ensure_future(reply.run())

        def look() -> None:
            """Has its turn whenever the loop is free."""
            seen.add(len(said))
            if not speaking.done():
                loop.call_soon(look)

        look()
        await speaking
    # Chunks are gathered into longer messages: nobody may see two new ones at once.
    assert len(said) > CHUNKS // 2
    assert len(seen) >= len(said) - 1
