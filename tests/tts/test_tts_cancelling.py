"""What becomes of work that nobody wants any more, and of the reply that comes after it."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from prometheus_client import REGISTRY

from voicemesh.audio_format import linear16
from voicemesh.grpc_client import Duplex, open_channel
from voicemesh.v1 import common_pb2
from voicemesh.v1 import tts_pb2 as pb
from voicemesh.v1.tts_pb2_grpc import SpeechSynthesizerServiceStub

Request = pb.StreamingSynthesizeRequest

STORY = "Once upon a time there was a robot who could not stop talking about the weather. " * 8
AT_ONCE = {"tts.replies_per_second": 10_000}
"""However often somebody changes their mind."""
VOICES: Mapping[str, Mapping[str, Any]] = {
    "embedded": {"tts.engine": "embedded", "tts.embedded.flite_workers": 1, **AT_ONCE},
    "simulated": {"tts.engine": "simulated", "tts.simulated.realtime_factor": 40, **AT_ONCE},
}
CHANGES = 150


def late_chunks(at_most: str = "+Inf") -> float:
    """The cancelled replies of which no more chunks than that were made after the cancel."""
    bucket = "voicemesh_tts_chunks_after_cancel_bucket"
    return REGISTRY.get_sample_value(bucket, {"le": at_most}) or 0.0


@dataclass
class Stream:
    """A conversation's stream to the service."""

    duplex: Duplex[Any, Any]
    stamp: common_pb2.Stamp = field(default_factory=lambda: common_pb2.Stamp(epoch=1))

    async def speak(self, text: str, number: int = 1) -> None:
        piece = pb.SynthesisInput(piece=number, text=text)
        await self.duplex.write(Request(stamp=self.stamp, input=piece))

    async def cancel(self) -> None:
        """As an orchestrator does it: by a revision that nothing is said under."""
        newer = common_pb2.Stamp(epoch=1, turn=self.stamp.turn, revision=self.stamp.revision + 1)
        cancel = pb.CancelSynthesis(reason="speech")
        await self.duplex.write(Request(stamp=newer, cancel=cancel))

    async def until(self, kind: str) -> int:
        """Read up to the first response of a kind of this reply; the samples until then."""
        samples = 0
        async with asyncio.timeout(20):
            while (response := await self.duplex.read()) is not None:
                if response.stamp == self.stamp:
                    samples += len(response.audio.chunk.audio) // 2
                    if response.WhichOneof("streaming_response") == kind:
                        return samples
        raise AssertionError("the stream ended")


@asynccontextmanager
async def opened(target: str) -> AsyncIterator[Stream]:
    async with open_channel(target) as channel:
        call = SpeechSynthesizerServiceStub(channel).StreamingSynthesize()
        stream = Stream(Duplex(call, common_pb2.STAGE_TTS))
        config = pb.StreamingSynthesisConfig(audio_format=linear16(16_000))
        await stream.duplex.write(Request(stamp=stream.stamp, streaming_config=config))
        await stream.until("started")
        yield stream


@pytest.mark.parametrize("voice", [*VOICES, "hibari"])
async def test_a_cancelled_reply_costs_one_chunk_more_at_most(serving: Any, voice: str) -> None:
    cancelled, within_one = late_chunks(), late_chunks("1.0")
    settings = VOICES.get(voice, {"tts.engine": voice, **AT_ONCE})
    async with serving("tts", **settings) as target, opened(target) as stream:
        for turn in range(1, 11):
            stream.stamp = common_pb2.Stamp(epoch=1, turn=turn)
            await stream.speak(STORY)
            await stream.until("audio")
            await stream.cancel()
    assert (late_chunks() - cancelled, late_chunks("1.0") - within_one) == (10, 10)


@pytest.mark.parametrize("voice", VOICES)
async def test_a_reply_is_spoken_however_many_were_given_up_before_it(
    serving: Any, voice: str
) -> None:
    """Two conversations share one voice, and change their minds at any moment."""

    async def converse(target: str, seed: int) -> None:
        rng = random.Random(seed)
        async with opened(target) as stream:
            for _ in range(CHANGES):
                stream.stamp = newer(stream.stamp, rng)
                pieces = rng.randrange(4)
                for number in range(pieces):
                    await stream.speak(rng.choice((STORY, "Well.", "你好，世界。")), number + 1)
                if pieces and rng.random() < 0.3:
                    await stream.until("audio")
                for _ in range(rng.randrange(30)):
                    await asyncio.sleep(0)
                if rng.random() < 0.7:
                    await stream.cancel()
                if rng.random() < 0.1:
                    stream.stamp = newer(stream.stamp, rng)
                    await stream.speak("Here I am.")
                    assert await stream.until("piece_finished") > 4_000

    async with serving("tts", **VOICES[voice]) as target:
        await asyncio.gather(*(converse(target, seed) for seed in (1, 2)))


def newer(stamp: common_pb2.Stamp, rng: random.Random) -> common_pb2.Stamp:
    """The next turn's, or that of another try at the same one."""
    if rng.random() < 0.5:
        return common_pb2.Stamp(epoch=1, turn=stamp.turn + 1)
    return common_pb2.Stamp(epoch=1, turn=stamp.turn, revision=stamp.revision + 1)
