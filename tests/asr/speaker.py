"""Somebody who speaks to the ASR service, and reads what it says."""

import asyncio
from collections.abc import Sequence
from typing import Any, cast

import grpc.aio
import numpy as np

from voicemesh import errors
from voicemesh.audio import Samples
from voicemesh.audio_format import linear16
from voicemesh.v1 import asr_pb2 as pb
from voicemesh.v1 import common_pb2

RATE = 16_000
START, EAGER, RESUMED, END = (
    pb.TURN_EVENT_TYPE_START_OF_TURN,
    pb.TURN_EVENT_TYPE_EAGER_END_OF_TURN,
    pb.TURN_EVENT_TYPE_TURN_RESUMED,
    pb.TURN_EVENT_TYPE_END_OF_TURN,
)
PHRASES = ("what time is it", "tell me a joke", "what is your name", "how are you")
ONE_WORKER = {"asr.engine": "pocketsphinx", "asr.pocketsphinx.workers": 1}


def room(samples: Sequence[float] | Samples, seed: int = 1) -> Samples:
    """Samples in a quiet room."""
    level = np.random.default_rng(seed).normal(0, 3, len(samples))
    return np.clip(level + samples, -32768, 32767).astype(np.int16)


def utterance(clip: Samples, lead_s: float = 0.5, tail_s: float = 1.0) -> Samples:
    return room(np.concatenate([np.zeros(int(lead_s * RATE)), clip, np.zeros(int(tail_s * RATE))]))


def spoken(clip: Samples) -> Samples:
    """The clip without the quiet at its ends."""
    loud = np.nonzero(np.abs(clip.astype(int)) > 200)[0]
    return clip[loud[0] : loud[-1] + 1]


class Speaker:
    """A client's side of one stream."""

    def __init__(self, stub: Any, **config: Any) -> None:
        config.setdefault("audio_format", linear16(RATE))
        config.setdefault("phrase_hints", [pb.PhraseHint(phrase=p) for p in PHRASES])
        self.config = pb.StreamingRecognitionConfig(**config)
        self.call = stub.StreamingRecognize()
        self.next = self.config.first_sample
        self.stamp = common_pb2.Stamp(epoch=1, turn=1)
        self.signs_of_life = 0

    async def send(self, **request: Any) -> None:
        await self.call.write(pb.StreamingRecognizeRequest(stamp=self.stamp, **request))

    async def start(self) -> pb.RecognitionStarted:
        await self.send(streaming_config=self.config)
        response = await self.read()
        assert response.WhichOneof("streaming_response") == "started"
        return response.started

    async def admitted(self) -> bool:
        """Ask for a stream; False when the service is busy."""
        await self.send(streaming_config=self.config)
        try:
            async with asyncio.timeout(30):
                await self.call.read()
        except grpc.aio.AioRpcError as error:
            if error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED:
                return False
            raise
        return True

    async def read(self) -> pb.StreamingRecognizeResponse:
        async with asyncio.timeout(30):  # So that a failing test ends.
            while True:
                response = await self.call.read()
                assert response is not grpc.aio.EOF, "the stream ended"
                if not response.HasField("heartbeat") or response.heartbeat.echo:
                    return cast(pb.StreamingRecognizeResponse, response)
                self.signs_of_life += 1  # On a busy machine work takes long.

    async def audio(self, samples: Samples, chunk: int = 1600) -> None:
        for begin in range(0, len(samples), chunk):
            part = samples[begin : begin + chunk]
            await self.send(
                audio=common_pb2.AudioChunk(audio=part.tobytes(), first_sample=self.next)
            )
            self.next += len(part)

    async def silence(self, count: int) -> None:
        await self.send(silence=common_pb2.SilenceChunk(first_sample=self.next, sample_count=count))
        self.next += count

    async def end(self) -> None:
        await self.send(end_of_utterance=common_pb2.EndOfUtterance(sample=self.next))

    async def until_end(self) -> list[pb.TurnEvent]:
        events: list[pb.TurnEvent] = []
        while not events or events[-1].type != END:
            events.append((await self.read()).turn_event)
        return events

    async def finish(self) -> list[pb.StreamingRecognizeResponse]:
        """Half-close; what is still said."""
        await self.call.done_writing()
        responses = []
        async with asyncio.timeout(30):
            while (response := await self.call.read()) is not grpc.aio.EOF:
                responses.append(response)
        return responses

    async def failure(self) -> errors.VoiceMeshError:
        try:
            async with asyncio.timeout(30):
                while await self.call.read() is not grpc.aio.EOF:
                    pass
        except grpc.aio.AioRpcError as error:
            return errors.from_rpc(error, common_pb2.STAGE_ASR)
        raise AssertionError("the stream ended well")
