"""What a reply costs that nobody wants any more, by the engines' own counters."""

from __future__ import annotations

import asyncio
from typing import Any

import numpy as np
import pytest
from prometheus_client import Histogram

from voicemesh.audio_format import linear16
from voicemesh.v1 import asr_pb2, dialog_pb2
from voicemesh_llm.metrics import LATE_TOKENS
from voicemesh_tts.metrics import FIRST_AUDIO, LATE_CHUNKS

from .conftest import RATE, Client, Connect, Mesh, Request, config

STORY = " ".join(f"Part {part} of a story that takes its time." for part in range(3000))
# The model writes for a minute and more: it has not finished when it is told to stop,
# however late that is, and synthesis is at work.
TELLS = {
    "llm.engine": "simulated",
    "llm.max_output_tokens": 100_000,
    "llm.simulated.replies": f'["{STORY}"]',
    "llm.simulated.first_token_ms": 10,
    "llm.simulated.tokens_per_second": 300,
}
VOICES: dict[str, dict[str, Any]] = {
    "embedded": {"tts.engine": "embedded", "tts.embedded.flite_workers": 1},
    "simulated": {"tts.engine": "simulated", "tts.simulated.realtime_factor": 3},
}
PATIENT = {
    "asr.moonshine.workers": 1,
    "asr.sentence_end_wait_ms": 1500,
    "asr.clause_end_wait_ms": 1500,
    "asr.no_mark_wait_ms": 1500,
    "asr.unfinished_wait_ms": 1500,
}
PAUSE = np.zeros(RATE * 3 // 10, dtype=np.int16)


def observed(histogram: Histogram, monkeypatch: pytest.MonkeyPatch) -> asyncio.Queue[float]:
    """What is observed from now on."""
    seen, observe = asyncio.Queue[float](), histogram.observe

    def note(amount: float) -> None:
        observe(amount)
        seen.put_nowait(amount)

    monkeypatch.setattr(histogram, "observe", note)
    return seen


class Work:
    """What the engines do, as they count it themselves, from now on."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._late_tokens = observed(LATE_TOKENS.labels("simulated"), monkeypatch)
        self._late_chunks = observed(LATE_CHUNKS, monkeypatch)
        self._spoken_pieces = observed(FIRST_AUDIO, monkeypatch)

    async def piece_is_spoken(self) -> None:
        async with asyncio.timeout(60):
            await self._spoken_pieces.get()

    async def late(self) -> tuple[float, float]:
        """Wait until model and voice have let go of a reply: tokens and chunks made too late."""
        async with asyncio.timeout(60):
            return await self._late_tokens.get(), await self._late_chunks.get()


@pytest.mark.parametrize("voice", VOICES)
async def test_an_interrupted_reply_costs_one_token_and_one_chunk_more_at_most(
    mesh: Mesh, connect: Connect, monkeypatch: pytest.MonkeyPatch, voice: str
) -> None:
    work = Work(monkeypatch)
    first = Request(config=config(reply_lead_ms=600_000))
    async with (
        mesh("llm", "tts", **TELLS, **VOICES[voice]) as target,
        connect(target, first) as client,
    ):
        await client.send(text=dialog_pb2.TypedText(text="tell me a story"))
        await client.until("reply_audio")
        await client.send(interrupt=dialog_pb2.Interrupt())
        await client.until("turn_ended")
        assert max(await work.late()) <= 1


async def until_eager(client: Client) -> None:
    while True:
        event = (await client.until("turn_event")).turn_event
        if event.type == asr_pb2.TURN_EVENT_TYPE_EAGER_END_OF_TURN:
            return


@pytest.mark.parametrize("voice", VOICES)
async def test_a_discarded_early_answer_costs_one_token_and_one_chunk_more_at_most(
    mesh: Mesh,
    connect: Connect,
    flite_speech: Any,
    monkeypatch: pytest.MonkeyPatch,
    voice: str,
) -> None:
    work = Work(monkeypatch)
    first = Request(config=config(input_format=linear16(RATE), reply_lead_ms=600_000))
    async with (
        mesh("asr", "llm", "tts", **TELLS, **VOICES[voice], **PATIENT) as target,
        connect(target, first) as client,
    ):
        await client.say(np.concatenate([flite_speech("what time is it"), PAUSE]))
        await until_eager(client)
        await work.piece_is_spoken()  # Synthesis is at work on what comes next.
        await client.say(flite_speech("what day is today"))
        assert max(await work.late()) <= 1
