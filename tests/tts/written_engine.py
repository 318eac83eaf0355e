"""A reply by an engine whose chunks a test has written, without a service around it."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from contextlib import contextmanager

from voicemesh.v1 import common_pb2
from voicemesh.v1 import tts_pb2 as pb
from voicemesh.work_counter import WorkCounter
from voicemesh_tts.engines.engine import Capabilities, SpokenChunk, Voice
from voicemesh_tts.piece_synthesizer import PieceSynthesizer, SpeakingOptions
from voicemesh_tts.reply_synthesis import ReplySynthesis
from voicemesh_tts.settings import TtsSettings
from voicemesh_tts.text.scripts import Reading
from voicemesh_tts.voices import VoiceTable

RATE_HERTZ = 16_000
_VOICE = Voice("written", ("en",), RATE_HERTZ, "Apache-2.0")

Chunks = Callable[[str], AsyncGenerator[SpokenChunk, None]]


class WrittenEngine:
    """Says of each unit what ``chunks`` makes of its text."""

    capabilities = Capabilities(streaming=True, word_spans=False, max_unit_chars=100)

    def __init__(self, chunks: Chunks) -> None:
        self._chunks = chunks

    async def load(self) -> None:
        """Nothing to load."""

    def voices(self) -> Sequence[Voice]:
        return (_VOICE,)

    def synthesize(
        self, text: str, voice: Voice, rate: float, counter: WorkCounter
    ) -> AsyncGenerator[SpokenChunk, None]:
        return self._chunks(text)

    async def close(self) -> None:
        """Nothing to free."""


@contextmanager
def reply_by(
    chunks: Chunks,
) -> Iterator[tuple[ReplySynthesis, list[pb.StreamingSynthesizeResponse]]]:
    """A reply of one piece that has not begun, and where its messages will be."""
    said: list[pb.StreamingSynthesizeResponse] = []
    engine = WrittenEngine(chunks)
    table = VoiceTable(engine.voices(), {}, "written")
    synthesizer = PieceSynthesizer(engine, table, TtsSettings())
    options = SpeakingOptions(RATE_HERTZ, Reading.of("en", "en"), None, 1.0)
    stamp = common_pb2.Stamp(epoch=1, turn=1)
    reply = ReplySynthesis("c", stamp, synthesizer, options, 4, said.append)
    reply.offer(pb.SynthesisInput(piece=1, text="Hello there.", last=True))
    try:
        yield reply, said
    finally:
        synthesizer.close()
