"""A synthesiser whose every sample can be told from every other one of the conversation."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from voicemesh.stamps import Order, order
from voicemesh.v1 import common_pb2
from voicemesh.v1 import tts_pb2 as pb

from .network import Context

RATE = 8_000
_CHUNK_S = 0.2
_LOUD = 32_749  # A prime, so that replies are different wherever they are compared.

Response = pb.StreamingSynthesizeResponse


def samples_per_char(char: str) -> int:
    """How long a character takes to say: a Chinese one is a syllable."""
    return RATE // 8 if char > "\u3000" else RATE // 20


def sound_of(stamp: common_pb2.Stamp, first: int, count: int) -> NDArray[np.int16]:
    """Samples of the reply of ``stamp``; none is silent."""
    begin = 7_919 * stamp.turn + 1_543 * stamp.revision + first
    return (np.arange(begin, begin + count) % (_LOUD - 1) + 1).astype(np.int16)


class Synthesiser:
    """One for all streams."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self.last_s: dict[Order, float] = {}
        """When the last sound of each reply was made."""

    async def synthesise(self, requests: AsyncIterator[Any], context: Context) -> None:
        speaking: asyncio.Task[None] | None = None
        newest: Order = (0, 0, 0, 0)
        said: dict[Order, int] = {}
        waiting: list[Any] = []
        try:
            async for request in requests:
                kind = request.WhichOneof("streaming_request")
                if kind in ("input", "cancel"):  # The newest stamp silences all others.
                    if order(request.stamp) < newest:
                        continue
                    if order(request.stamp) > newest and speaking is not None:
                        speaking.cancel()
                        await asyncio.wait({speaking})
                        waiting.clear()
                    newest = order(request.stamp)
                match kind:
                    case "streaming_config":
                        started = pb.SynthesisStarted(engine="script")
                        await context.write(Response(stamp=request.stamp, started=started))
                    case "input":
                        waiting.append(request)
                        if speaking is None or speaking.done():
                            work = self._speak(waiting, said, context)
                            speaking = asyncio.create_task(work, name="synthesiser speaks")
                    case "heartbeat":
                        beat = request.heartbeat
                        beat.echo = True
                        await context.write(Response(stamp=request.stamp, heartbeat=beat))
        finally:
            if speaking is not None:
                speaking.cancel()
                await asyncio.wait({speaking})

    async def _speak(self, waiting: list[Any], said: dict[Order, int], context: Context) -> None:
        while waiting:
            request = waiting.pop(0)
            piece, stamp = request.input, request.stamp
            await asyncio.sleep(self._random.uniform(0.01, 0.2))
            pace = self._random.uniform(0.05, 0.5)
            first = said.get(order(stamp), 0)
            for begin, end, count in _chunks(piece.text):
                await asyncio.sleep(pace * count / RATE)
                self.last_s[order(stamp)] = asyncio.get_running_loop().time()
                audio = sound_of(stamp, first, count)
                first += count
                said[order(stamp)] = first
                chunk = common_pb2.AudioChunk(audio=audio.tobytes(), first_sample=first - count)
                span = common_pb2.TextSpan(
                    begin_char=piece.first_char + begin, end_char=piece.first_char + end
                )
                spoken = pb.SynthesizedAudio(piece=piece.piece, chunk=chunk, span=span)
                await context.write(Response(stamp=stamp, audio=spoken))
            finished = pb.PieceFinished(piece=piece.piece)
            await context.write(Response(stamp=stamp, piece_finished=finished))


def _chunks(text: str) -> list[tuple[int, int, int]]:
    """``text`` as (first character, the one after the last, samples), about 200 ms each."""
    chunks = []
    begin = samples = 0
    for position, char in enumerate(text, start=1):
        samples += samples_per_char(char)
        if samples >= RATE * _CHUNK_S or position == len(text):
            chunks.append((begin, position, samples))
            begin, samples = position, 0
    return chunks
