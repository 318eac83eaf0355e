"""A connection to the mesh under load, as lean as a client can be: one stream, no queues."""

from __future__ import annotations

import asyncio

import grpc.aio

from voicemesh.aio import TaskSet, within
from voicemesh.audio_format import linear16
from voicemesh.errors import Unavailable, VoiceMeshError
from voicemesh.grpc_client import CHANNEL_OPTIONS, Duplex
from voicemesh.v1 import asr_pb2, common_pb2, dialog_pb2
from voicemesh.v1.dialog_pb2_grpc import DialogServiceStub
from voicemesh_evaluation.bench.connection import Caller
from voicemesh_evaluation.bench.workload import (
    EAGER_WAIT_MS,
    END_SILENCE_MS,
    FRAME_SAMPLES,
    LEAD_MS,
    MIN_SPEECH_MS,
    RATE_HERTZ,
    VAD_MODE,
)

_OPEN_S = 15.0
_GOODBYE_S = 2.0

Request = dialog_pb2.ConverseRequest
Response = dialog_pb2.ConverseResponse


def _config() -> dialog_pb2.ConverseConfig:
    """The constants of the benchmark, whatever the mesh's own settings are."""
    return dialog_pb2.ConverseConfig(
        input_format=linear16(RATE_HERTZ),
        output_format=linear16(RATE_HERTZ),
        reports_playback=True,
        reply_lead_ms=LEAD_MS,
        # What it is compared with stops at the first sound too.
        interruption_policy=dialog_pb2.INTERRUPTION_POLICY_STOP,
        vad=asr_pb2.VadOptions(name="webrtc", aggressiveness=VAD_MODE, min_speech_ms=MIN_SPEECH_MS),
        turn_detector=asr_pb2.TurnDetectorOptions(
            name="marks", sentence_end_wait_ms=END_SILENCE_MS, eager_wait_ms=EAGER_WAIT_MS
        ),
    )


class MeshConnection:
    """A Converse stream on a connection of its own, as robots have one each."""

    def __init__(self, target: str) -> None:
        """``target``: the orchestrator."""
        self._target = target
        self._tasks = TaskSet()
        self._reply = common_pb2.Stamp()
        self._channel: grpc.aio.Channel | None = None
        self._closing = False
        self._stream: Duplex[Request, Response]
        self._caller: Caller
        self._reader: asyncio.Task[None] | None = None

    async def open(self, caller: Caller) -> None:
        """Connect; errors as the mesh tells them."""
        self._caller = caller
        options = [*CHANNEL_OPTIONS, ("grpc.use_local_subchannel_pool", 1)]
        self._channel = grpc.aio.insecure_channel(self._target, options=options)
        stub = DialogServiceStub(self._channel)
        self._stream = Duplex(stub.Converse(), common_pb2.STAGE_ORCHESTRATOR)
        await self._stream.write(Request(config=_config()))
        first = self._tasks.start(self._stream.read(), "first response")
        if not await within(_OPEN_S, first):
            self._stream.cancel()
            raise Unavailable("the orchestrator does not admit the conversation")
        if first.result() is None:
            raise Unavailable("the orchestrator ended the conversation")
        self._reader = self._tasks.start(self._read(), "read")

    async def _read(self) -> None:
        try:
            while (response := await self._stream.read()) is not None:
                self._take(response)
            if not self._closing:
                self._caller.failed("the mesh ended the conversation")
        except VoiceMeshError as error:
            self._caller.failed(str(error))

    def _take(self, response: Response) -> None:
        kind = response.WhichOneof("converse_response")
        if kind == "reply_audio":
            # What is still under way of a reply that was cut short is not played.
            if response.stamp == self._reply:
                chunk = response.reply_audio.chunk
                self._caller.audio(chunk.first_sample, len(chunk.audio) // 2)
        elif kind == "reply_started":
            self._reply = response.stamp
            self._caller.reply_started()
        elif kind == "reply_interrupted":
            if response.stamp == self._reply:
                self._reply = common_pb2.Stamp()
            self._caller.dropped()
        elif kind == "reply_ended":
            self._caller.reply_ended(response.reply_ended.sample_count)
        elif kind == "error":
            self._caller.failed(response.error.message)

    async def send(self, index: int, frame: bytes) -> None:
        """One message a frame."""
        chunk = common_pb2.AudioChunk(audio=frame, first_sample=index * FRAME_SAMPLES)
        await self._stream.write(Request(audio=chunk))

    async def report(self, played_samples: int) -> None:
        """One report."""
        report = common_pb2.PlaybackReport(stamp=self._reply, played_samples=played_samples)
        await self._stream.write(Request(playback=report))

    async def close(self) -> None:
        """End the conversation politely, then the connection."""
        self._closing = True
        if self._channel is None:
            return
        if self._reader is not None and not self._reader.done():
            try:
                await self._stream.write(Request(end=dialog_pb2.EndConversation(reason="done")))
                await within(_GOODBYE_S, self._reader)
            except VoiceMeshError as error:
                self._caller.failed(str(error))
        await self._tasks.close()
        await self._channel.close()
