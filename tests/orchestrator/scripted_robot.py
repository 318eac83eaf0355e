"""A robot's listener whose microphone and speaker are a script: only the sound card is not real."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import grpc.aio
import numpy as np
from numpy.typing import NDArray

from voicemesh.grpc_client import Duplex, open_channel
from voicemesh.v1 import asr_pb2, common_pb2, robot_pb2
from voicemesh.v1.asr_pb2_grpc import SpeechRecognizerServiceStub
from voicemesh.v1.robot_pb2_grpc import (
    RobotListenerServiceServicer,
    add_RobotListenerServiceServicer_to_server,
)

RATE = 16_000
_FRAME = 800
Context = grpc.aio.ServicerContext[Any, Any]
Sound = NDArray[np.int16]


class ScriptedRobot(RobotListenerServiceServicer):
    """Hears the next of ``questions`` at each Listen; plays as fast as it can, and reports."""

    def __init__(self, *questions: Sound | common_pb2.ErrorDetail) -> None:
        self.questions = list(questions)
        self.sample = 48_000  # It has been on for a while.
        self.played = bytearray()
        self.plays = 0
        self.stops: list[robot_pb2.StopRequest] = []
        self.stopped = asyncio.Event()
        self.listening = asyncio.Event()
        self.closed_microphone = asyncio.Event()
        self.holds_playback = False
        """Play nothing to its end: whoever waits for the end waits for a Stop."""
        self.playing = asyncio.Event()
        self.facts: dict[str, str] = {}
        self.stamps: list[common_pb2.Stamp] = []
        self.tickets: list[str] = []
        self.known: list[asr_pb2.TurnDetectorState] = []

    async def GetStatus(
        self, request: robot_pb2.GetStatusRequest, context: Context
    ) -> robot_pb2.GetStatusResponse:
        return robot_pb2.GetStatusResponse(facts=self.facts)

    async def Listen(  # type: ignore[override]  # The stubs know no coroutine that writes.
        self, request: robot_pb2.ListenRequest, context: Context
    ) -> None:
        self.stamps.append(request.stamp)
        self.tickets.append(request.asr.ticket)
        self.known.append(request.recognition.resume_from)
        self.listening.set()

        async def send(**response: Any) -> None:
            await context.write(robot_pb2.ListenResponse(stamp=request.stamp, **response))

        try:
            if not self.questions:
                await self.stopped.wait()
                return
            question = self.questions.pop(0)
            if isinstance(question, common_pb2.ErrorDetail):
                await send(error=question)
                return
            chunks = self._sound(question)
            if request.HasField("asr"):
                await self._ask_asr(request, chunks, send)
                return
            for chunk in chunks:
                await send(audio=chunk)
            await self.stopped.wait()  # Until it is told that the turn is over.
        finally:
            self.closed_microphone.set()

    def _sound(self, question: Sound) -> list[common_pb2.AudioChunk]:
        chunks = []
        said = np.concatenate([question, np.zeros(2 * RATE, dtype=np.int16)])
        for first in range(0, len(said), _FRAME):
            part = said[first : first + _FRAME]
            chunks.append(common_pb2.AudioChunk(audio=part.tobytes(), first_sample=self.sample))
            self.sample += len(part)
        return chunks

    async def _ask_asr(
        self, request: robot_pb2.ListenRequest, chunks: list[common_pb2.AudioChunk], send: Any
    ) -> None:
        """Stream to the recogniser that the request names, and pass its events on."""
        config = request.recognition
        config.first_sample = chunks[0].first_sample
        async with open_channel(request.asr.target) as channel:
            stream: Duplex[Any, Any] = Duplex(
                SpeechRecognizerServiceStub(channel).StreamingRecognize(), common_pb2.STAGE_ASR
            )
            ask = asr_pb2.StreamingRecognizeRequest
            await stream.write(ask(stamp=request.stamp, streaming_config=config))
            for chunk in chunks:
                await stream.write(ask(stamp=request.stamp, audio=chunk))
            while (response := await stream.read()) is not None:
                if response.HasField("turn_event"):
                    await send(turn_event=response.turn_event)
                    if response.turn_event.type == asr_pb2.TURN_EVENT_TYPE_END_OF_TURN:
                        break
            stream.cancel()

    async def Play(  # type: ignore[override]  # As above.
        self, request_iterator: AsyncIterator[robot_pb2.PlayRequest], context: Context
    ) -> None:
        self.plays += 1
        played = 0

        async def report(stamp: common_pb2.Stamp, drained: bool) -> None:
            playback = common_pb2.PlaybackReport(
                stamp=stamp,
                played_samples=played,
                microphone_sample=self.sample,
                drained=drained,
                paused=self.holds_playback,
            )
            await context.write(robot_pb2.PlayResponse(stamp=stamp, playback=playback))

        async for request in request_iterator:
            match request.WhichOneof("play_request"):
                case "audio_format":
                    assert request.audio_format.sample_rate_hertz == RATE
                    self.stamps.append(request.stamp)
                case "audio":
                    assert request.audio.first_sample == played
                    played += len(request.audio.audio) // 2
                    self.played += request.audio.audio
                    self.playing.set()
                    await report(request.stamp, drained=False)
                    if self.holds_playback:
                        await self.stopped.wait()
                        return
                case "end_of_reply":
                    assert request.end_of_reply.sample == played
                    await report(request.stamp, drained=True)
                    return

    async def Stop(
        self, request: robot_pb2.StopRequest, context: Context
    ) -> robot_pb2.StopResponse:
        self.stops.append(request)
        self.stopped.set()
        return robot_pb2.StopResponse()

    async def Pause(
        self, request: robot_pb2.PauseRequest, context: Context
    ) -> robot_pb2.PauseResponse:
        return robot_pb2.PauseResponse()

    async def Duck(
        self, request: robot_pb2.DuckRequest, context: Context
    ) -> robot_pb2.DuckResponse:
        return robot_pb2.DuckResponse()

    async def Resume(
        self, request: robot_pb2.ResumeRequest, context: Context
    ) -> robot_pb2.ResumeResponse:
        return robot_pb2.ResumeResponse()

    def ready(self) -> None:
        """Forget that it was stopped."""
        for event in (self.stopped, self.listening, self.closed_microphone, self.playing):
            event.clear()


@asynccontextmanager
async def offering_robot(robot: ScriptedRobot) -> AsyncIterator[str]:
    """The robot's listener on a free port."""
    server = grpc.aio.server()
    add_RobotListenerServiceServicer_to_server(robot, server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        await server.stop(None)
