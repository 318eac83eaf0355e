"""A model that writes a scripted answer, word by word, until it is told to stop."""

from __future__ import annotations

import asyncio
import random
import re
from collections.abc import AsyncIterator, Callable
from typing import Any

from voicemesh.stamps import Order, order
from voicemesh.v1 import llm_pb2 as pb

from .network import Context

Response = pb.GenerateResponse
_FIRST_TOKEN_S = (0.02, 0.5)
_TOKEN_S = (0.0, 0.06)


class LanguageModel:
    """Keeps what it was asked, and how many answers are under way."""

    def __init__(self, seed: int, answer: Callable[[str], str]) -> None:
        """``answer``: the answer to a question."""
        self._random = random.Random(seed)
        self._answer = answer
        self.resets: frozenset[str] = frozenset()
        """Questions that ask to forget what was before."""
        self.asked: list[pb.GenerateRequest] = []
        self.asked_s: list[float] = []
        """When each of them came."""
        self.running = 0
        self.last_s: dict[Order, float] = {}
        """When the last word of each answer was written."""

    async def generate(self, requests: AsyncIterator[Any], context: Context) -> None:
        first = await anext(requests)
        self.asked.append(first)
        self.asked_s.append(asyncio.get_running_loop().time())
        cancelled = asyncio.Event()
        reading = asyncio.create_task(self._read(requests, cancelled), name="model reads")
        self.running += 1
        try:
            await context.write(Response(stamp=first.stamp, started=pb.GenerationStarted()))
            reason = await self._write(first, context, cancelled)
            usage = pb.Usage(prompt_tokens=1, completion_tokens=1)
            question = first.generation.messages[-1].parts[0].text
            finished = pb.GenerationFinished(
                finish_reason=reason, usage=usage, history_reset=question in self.resets
            )
            await context.write(Response(stamp=first.stamp, finished=finished))
        finally:
            self.running -= 1
            reading.cancel()
            await asyncio.wait({reading})

    @staticmethod
    async def _read(requests: AsyncIterator[Any], cancelled: asyncio.Event) -> None:
        async for request in requests:
            if request.HasField("cancel"):
                cancelled.set()

    async def _write(
        self, first: pb.GenerateRequest, context: Context, cancelled: asyncio.Event
    ) -> pb.FinishReason.ValueType:
        question = first.generation.messages[-1].parts[0].text
        wait_s = self._random.uniform(*_FIRST_TOKEN_S)
        for token in re.findall(r"[\u3000-\u9fff]|\s*[^\s\u3000-\u9fff]+", self._answer(question)):
            try:
                async with asyncio.timeout(wait_s):
                    await cancelled.wait()
            except TimeoutError:
                pass
            else:
                return pb.FINISH_REASON_CANCELLED
            self.last_s[order(first.stamp)] = asyncio.get_running_loop().time()
            await context.write(Response(stamp=first.stamp, delta=pb.TextDelta(text=token)))
            wait_s = self._random.uniform(*_TOKEN_S)
        return pb.FINISH_REASON_STOP
