from __future__ import annotations

import asyncio
from typing import Any

import numpy as np

from voicemesh.audio_format import linear16
from voicemesh.v1 import asr_pb2, dialog_pb2
from voicemesh_orchestrator.upstream.send_ticks import SendTicks


async def test_few_conversations_do_not_gather() -> None:
    beat = SendTicks(0.01)
    leaves = [beat.join(asyncio.Event().set) for _ in range(9)]
    assert beat.gathers
    leaves.pop()()
    assert not beat.gathers
    for leave in leaves:
        leave()


async def test_everybody_is_called_until_they_leave() -> None:
    beat = SendTicks(0.01)
    called = [asyncio.Event() for _ in range(4)]
    leaves = [beat.join(event.set) for event in called]
    async with asyncio.timeout(10):
        for event in called:
            await event.wait()
        for event in called:
            event.clear()
        leaves[0]()
        for event in called[1:]:
            await event.wait()
    assert not called[0].is_set()
    for leave in leaves[1:]:
        leave()


async def test_many_conversations_at_once_are_all_understood(
    mesh: Any, connect: Any, flite_speech: Any
) -> None:
    noise = np.random.default_rng(1).integers(-2, 3, 16_000, dtype=np.int16)
    clip = np.concatenate([noise, flite_speech("what is artificial intelligence"), noise])
    settings: dict[str, Any] = {f"{n}.engine": "simulated" for n in ("asr", "llm", "tts")}
    settings |= {"asr.vad": "webrtc", "asr.webrtc.aggressiveness": 2}
    first = dialog_pb2.ConverseRequest(
        config=dialog_pb2.ConverseConfig(input_format=linear16(16_000))
    )

    async def ask(target: str) -> str:
        async with connect(target, first) as client:
            await client.until("started")
            await client.say(clip)
            while True:
                event = (await client.until("turn_event")).turn_event
                if event.type == asr_pb2.TURN_EVENT_TYPE_END_OF_TURN:
                    return str(event.transcript.text)

    async with mesh("asr", "llm", "tts", **settings) as target:
        heard = await asyncio.gather(*(ask(target) for _ in range(10)))
    assert heard == ["What is artificial intelligence?"] * 10
