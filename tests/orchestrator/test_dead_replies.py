"""What a reply costs that nobody wants any more, by the engines' own counters."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

import numpy as np
import pytest
from prometheus_client import REGISTRY

from voicemesh.audio import linear16
from voicemesh.v1 import asr_pb2, dialog_pb2

from .conftest import RATE, Client, Connect, Mesh, Request, config

STORY = " ".join(f"Part {part} of a story that takes its time." for part in range(300))
# The model has not finished when it is told to stop, and synthesis is at work.
TELLS = {
    "llm.engine": "simulated",
    "llm.simulated.replies": f'["{STORY}"]',
    "llm.simulated.first_token_ms": 10,
    "llm.simulated.tokens_per_second": 300,
}
VOICES: dict[str, dict[str, Any]] = {
    "embedded": {"tts.embedded.flite_workers": 1},
    "simulated": {"tts.engine": "simulated", "tts.simulated.realtime_factor": 3},
}
PATIENT = {
    "asr.pocketsphinx.workers": 1,
    "asr.sentence_end_wait_ms": 1500,
    "asr.clause_end_wait_ms": 1500,
    "asr.no_mark_wait_ms": 1500,
    "asr.unfinished_wait_ms": 1500,
}
PAUSE = np.zeros(RATE * 3 // 10, dtype=np.int16)


class LateWork:
    """What has become of cancelled replies since it was made."""

    def __init__(self) -> None:
        self._before = self._counted()

    @staticmethod
    def _counted() -> Counter[str]:
        counted = Counter[str]()
        for at_most, which in (("+Inf", "all"), ("1.0", "cheap")):
            for stage, metric, labels in (
                ("llm", "voicemesh_llm_tokens_after_cancel_bucket", {"engine": "simulated"}),
                ("tts", "voicemesh_tts_chunks_after_cancel_bucket", {}),
            ):
                replies = REGISTRY.get_sample_value(metric, labels | {"le": at_most})
                counted[f"{which} of {stage}"] = int(replies or 0)
        return counted

    async def is_little(self) -> bool:
        """Wait until model and voice have let go; whether none made more than one thing more."""
        async with asyncio.timeout(20):
            while True:
                late = self._counted()
                late.subtract(self._before)
                if late["all of llm"] and late["all of tts"]:
                    return all(late[f"all of {s}"] == late[f"cheap of {s}"] for s in ("llm", "tts"))
                await asyncio.sleep(0)


def spoken_pieces() -> float:
    return REGISTRY.get_sample_value("voicemesh_tts_first_audio_seconds_count") or 0.0


async def until_spoken(pieces: float) -> None:
    async with asyncio.timeout(20):
        while True:
            await asyncio.sleep(0)
            if spoken_pieces() >= pieces:
                return


@pytest.mark.parametrize("voice", VOICES)
async def test_an_interrupted_reply_costs_one_token_and_one_chunk_more_at_most(
    mesh: Mesh, connect: Connect, voice: str
) -> None:
    late = LateWork()
    first = Request(config=config(reply_lead_ms=600_000))
    async with (
        mesh("llm", "tts", **TELLS, **VOICES[voice]) as target,
        connect(target, first) as client,
    ):
        await client.send(text=dialog_pb2.TypedText(text="tell me a story"))
        await client.until("reply_audio")
        await client.send(interrupt=dialog_pb2.Interrupt())
        await client.until("turn_ended")
        assert await late.is_little()


async def until_eager(client: Client) -> None:
    while True:
        event = (await client.until("turn_event")).turn_event
        if event.type == asr_pb2.TURN_EVENT_TYPE_EAGER_END_OF_TURN:
            return


@pytest.mark.parametrize("voice", VOICES)
async def test_a_discarded_early_answer_costs_one_token_and_one_chunk_more_at_most(
    mesh: Mesh, connect: Connect, flite_speech: Any, voice: str
) -> None:
    late, begun = LateWork(), spoken_pieces()
    first = Request(config=config(input_format=linear16(RATE), reply_lead_ms=600_000))
    async with (
        mesh("asr", "llm", "tts", **TELLS, **VOICES[voice], **PATIENT) as target,
        connect(target, first) as client,
    ):
        await client.say(np.concatenate([flite_speech("what time is it"), PAUSE]))
        await until_eager(client)
        await until_spoken(begun + 1)  # Synthesis is at work on what comes next.
        await client.say(flite_speech("what day is today"))
        assert await late.is_little()
