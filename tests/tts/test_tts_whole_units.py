"""An engine that has a whole unit ready at once leaves the event loop to others meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence

import numpy as np

from voicemesh.v1 import common_pb2
from voicemesh.v1 import tts_pb2 as pb
from voicemesh.work_counter import WorkCounter
from voicemesh_tts.engines.engine import Capabilities, SpokenChunk, Voice
from voicemesh_tts.piece_synthesizer import PieceSynthesizer, SpeakingOptions
from voicemesh_tts.reply_synthesis import ReplySynthesis
from voicemesh_tts.settings import TtsSettings
from voicemesh_tts.text.scripts import Reading
from voicemesh_tts.voices import VoiceTable

VOICE = Voice("whole", ("en",), 24_000, "Apache-2.0")
CHUNKS = 40


class WholeUnits:
    """Never waits between its chunks."""

    capabilities = Capabilities(streaming=True, word_spans=False, max_unit_chars=100)

    async def load(self) -> None:
        """Nothing to load."""

    def voices(self) -> Sequence[Voice]:
        return (VOICE,)

    async def synthesize(
        self, text: str, voice: Voice, rate: float, counter: WorkCounter
    ) -> AsyncGenerator[SpokenChunk, None]:
        for _ in range(CHUNKS):
            yield SpokenChunk(np.zeros(2_400, np.int16), 0, len(text))

    async def close(self) -> None:
        """Nothing to free."""


async def test_others_come_in_between_the_chunks_of_a_unit() -> None:
    said: list[pb.StreamingSynthesizeResponse] = []
    seen: set[int] = set()
    engine = WholeUnits()
    synthesizer = PieceSynthesizer(engine, VoiceTable(engine.voices(), {}, "whole"), TtsSettings())
    options = SpeakingOptions(16_000, Reading.of("en", "en"), None, 1.0)
    stamp = common_pb2.Stamp(epoch=1, turn=1)
    reply = ReplySynthesis("c", stamp, synthesizer, options, 4, said.append)
    reply.offer(pb.SynthesisInput(piece=1, text="Hello there.", last=True))
    loop = asyncio.get_running_loop()
    speaking = asyncio.ensure_future(reply.run())

    def look() -> None:
        """Has its turn whenever the loop is free."""
        seen.add(len(said))
        if not speaking.done():
            loop.call_soon(look)

    look()
    await speaking
    synthesizer.close()
    # Chunks are gathered into longer messages: nobody may see two new ones at once.
    assert len(said) > CHUNKS // 2
    assert len(seen) >= len(said) - 1
