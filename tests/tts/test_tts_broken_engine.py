"""An engine with a mistake in it: whoever waits for the reply is told."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence

import numpy as np
import pytest

from voicemesh.v1 import common_pb2
from voicemesh.v1 import tts_pb2 as pb
from voicemesh.work_counter import WorkCounter
from voicemesh_tts.engines.engine import Capabilities, SpokenChunk, Voice
from voicemesh_tts.piece_synthesizer import PieceSynthesizer, SpeakingOptions
from voicemesh_tts.reply_synthesis import ReplySynthesis
from voicemesh_tts.settings import TtsSettings
from voicemesh_tts.text.scripts import Reading
from voicemesh_tts.voices import VoiceTable

VOICE = Voice("broken", ("en",), 16_000, "Apache-2.0")


class BrokenEngine:
    """Fails in its second chunk, and not as engines are meant to."""

    capabilities = Capabilities(streaming=True, word_spans=False, max_unit_chars=100)

    async def load(self) -> None:
        """Nothing to load."""

    def voices(self) -> Sequence[Voice]:
        return (VOICE,)

    async def synthesize(
        self, text: str, voice: Voice, rate: float, counter: WorkCounter
    ) -> AsyncGenerator[SpokenChunk, None]:
        yield SpokenChunk(np.zeros(1_600, np.int16), 0, len(text))
        raise IndexError("no such sample")

    async def close(self) -> None:
        """Nothing to free."""


async def test_a_mistake_of_an_engine_is_told_in_the_stream(
    caplog: pytest.LogCaptureFixture,
) -> None:
    said: list[pb.StreamingSynthesizeResponse] = []
    engine = BrokenEngine()
    synthesizer = PieceSynthesizer(engine, VoiceTable(engine.voices(), {}, "broken"), TtsSettings())
    options = SpeakingOptions(16_000, Reading.of("en", "en"), None, 1.0)
    stamp = common_pb2.Stamp(epoch=1, turn=1)
    reply = ReplySynthesis("c", stamp, synthesizer, options, 4, said.append)
    reply.offer(pb.SynthesisInput(piece=1, text="Hello there.", last=True))
    await reply.run()
    synthesizer.close()
    assert said[-1].error.code == common_pb2.ERROR_CODE_INTERNAL
    assert said[-1].error.stage == common_pb2.STAGE_TTS
    assert "log has the details" in said[-1].error.message
    assert "IndexError: no such sample" in caplog.text
