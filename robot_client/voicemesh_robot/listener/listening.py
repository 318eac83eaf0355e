"""One Listen: the microphone is open until one turn is over, or until it is closed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import aclosing

from voicemesh.aio import cancel_and_wait, within
from voicemesh.audio_format import linear16
from voicemesh.errors import (
    DeadlineExceeded,
    InvalidArgument,
    Unavailable,
    Unsupported,
    VoiceMeshError,
    from_detail,
)
from voicemesh.grpc_client import Duplex, open_channel
from voicemesh.targets import is_host_and_port
from voicemesh.v1 import asr_pb2, common_pb2, robot_pb2
from voicemesh.v1.asr_pb2_grpc import SpeechRecognizerServiceStub
from voicemesh_robot.sound.heard import EndOfSpeech, Heard, HeardSilence, HeardSound
from voicemesh_robot.sound.robot import Robot
from voicemesh_robot.sound.speech_source import SpeechSource

_GOODBYE_S = 1.0
_CONNECT_S = 5.0
TICKET_METADATA_KEY = "voicemesh-asr-ticket"
"""The metadata under which an AsrTicket's secret is shown to the recogniser."""

Request = asr_pb2.StreamingRecognizeRequest
Response = asr_pb2.StreamingRecognizeResponse


def check_recognition(config: asr_pb2.StreamingRecognitionConfig, rate_hertz: int) -> None:
    """Unsupported where another format is asked for than the microphone has."""
    wanted = config.audio_format
    if config.HasField("audio_format") and wanted != linear16(rate_hertz):
        raise Unsupported(
            f"the microphone gives LINEAR16 at {rate_hertz} Hz, mono; ask for that or for nothing",
            field="recognition.audio_format",
        )


def check_recogniser(target: str) -> None:
    """InvalidArgument where ``target`` is no address of a recogniser."""
    if not is_host_and_port(target):
        raise InvalidArgument(
            f"{target!r} is no address; name the recogniser as host:port, or leave asr out to "
            "get the audio back",
            field="asr.target",
        )


class Listening:
    """One call of Listen: microphone to the recogniser (or back), turn events to the caller."""

    def __init__(
        self,
        request: robot_pb2.ListenRequest,
        robot: Robot,
        send: Callable[[robot_pb2.ListenResponse], None],
    ) -> None:
        """``send`` sends a response; it never waits."""
        check_recognition(request.recognition, robot.microphone.rate_hertz)
        if request.HasField("asr"):
            check_recogniser(request.asr.target)
        self._request = request
        self._robot = robot
        self._send_response = send
        self._spoken = asyncio.Event()
        self._source: SpeechSource

    def _send(self, response: robot_pb2.ListenResponse) -> None:
        response.stamp.CopyFrom(self._request.stamp)
        self._send_response(response)

    async def run(self) -> None:
        """Listen until the turn is over, or for as long as is wanted.

        What goes wrong is told in the stream.
        """
        self._source = await self._robot.speech_source(self._began)
        try:
            await self._source.open()  # What is said while the recogniser is dialled waits.
            async with asyncio.TaskGroup() as group:
                work = group.create_task(
                    self._recognise() if self._request.HasField("asr") else self._send_back()
                )
                timer = group.create_task(self._wait_for_speech())
                await asyncio.wait({work})
                timer.cancel()
        except* VoiceMeshError as failed:
            error = failed.exceptions[0]
            assert isinstance(error, VoiceMeshError)
            detail = error.detail(common_pb2.STAGE_ROBOT)
            self._send(robot_pb2.ListenResponse(error=detail))
        finally:
            await self._robot.microphone.close()

    def _began(self, begin: int) -> None:
        """The local detector hears somebody."""
        self._robot.local_pause.speech_began()
        if not self._request.HasField("asr"):
            self._spoken.set()

    async def _wait_for_speech(self) -> None:
        limit_ms = self._request.no_speech_timeout_ms
        if limit_ms <= 0:
            return
        try:
            async with asyncio.timeout(limit_ms / 1000):
                await self._spoken.wait()
        except TimeoutError:
            raise DeadlineExceeded(
                f"nobody spoke within {limit_ms / 1000:g} s; ask again, or wait longer with "
                "no_speech_timeout_ms",
                field="no_speech_timeout_ms",
                stage=common_pb2.STAGE_ROBOT,
            ) from None

    async def _send_back(self) -> None:
        """Audio back over the stream, until the orchestrator has heard enough."""
        async with aclosing(self._source.sounds()) as sounds:
            async for heard in sounds:
                match heard:
                    case HeardSound():
                        self._send(robot_pb2.ListenResponse(audio=heard.message()))
                    case HeardSilence():
                        self._send(robot_pb2.ListenResponse(silence=heard.message()))

    async def _recognise(self) -> None:
        """Straight to the recogniser; its events back over the stream."""
        ticket = self._request.asr
        metadata = ((TICKET_METADATA_KEY, ticket.ticket),) if ticket.ticket else None
        async with open_channel(ticket.target) as channel:
            stream: Duplex[Request, Response] = Duplex(
                SpeechRecognizerServiceStub(channel).StreamingRecognize(metadata=metadata),
                common_pb2.STAGE_ASR,
            )
            reader: asyncio.Task[None] | None = None
            writer: asyncio.Task[None] | None = None
            loop = asyncio.get_running_loop()
            try:
                await self._open(stream)
                reader = loop.create_task(self._read(stream), name="listen reader")
                writer = loop.create_task(self._write(stream), name="listen writer")
                await asyncio.wait({reader, writer}, return_when=asyncio.FIRST_COMPLETED)
                for task in (reader, writer):
                    if task.done():
                        task.result()
            finally:
                await cancel_and_wait(writer)
                await self._good_bye(stream, reader)

    async def _open(self, stream: Duplex[Request, Response]) -> None:
        config = asr_pb2.StreamingRecognitionConfig()
        config.CopyFrom(self._request.recognition)
        config.audio_format.CopyFrom(linear16(self._source.rate_hertz))
        config.first_sample = self._source.first_sample

        async def handshake() -> Response | None:
            await stream.write(Request(stamp=self._request.stamp, streaming_config=config))
            return await stream.read()

        opening = asyncio.get_running_loop().create_task(handshake(), name="listen handshake")
        try:
            opened = await within(_CONNECT_S, opening)
        except asyncio.CancelledError:
            await cancel_and_wait(opening)
            raise
        if not opened:
            stream.cancel()
            await cancel_and_wait(opening)
            raise Unavailable(
                f"asr: nothing answers at {self._request.asr.target} within {_CONNECT_S:g} s; "
                "can the robot reach it?",
                stage=common_pb2.STAGE_ASR,
            )
        if opening.result() is None:
            raise Unavailable("asr: the service ended the stream", stage=common_pb2.STAGE_ASR)

    async def _write(self, stream: Duplex[Request, Response]) -> None:
        async with aclosing(self._source.sounds()) as sounds:
            async for heard in sounds:
                await stream.write(self._said(heard))

    def _said(self, heard: Heard) -> Request:
        stamp = self._request.stamp
        match heard:
            case HeardSound():
                return Request(stamp=stamp, audio=heard.message())
            case HeardSilence():
                return Request(stamp=stamp, silence=heard.message())
            case EndOfSpeech():
                return Request(stamp=stamp, end_of_utterance=heard.message())

    async def _read(self, stream: Duplex[Request, Response]) -> None:
        """Pass the turn's events on; returns when the turn is over, if that is all."""
        while (response := await stream.read()) is not None:
            match response.WhichOneof("streaming_response"):
                case "turn_event":
                    event = response.turn_event
                    self._send(robot_pb2.ListenResponse(turn_event=event))
                    if event.type == asr_pb2.TURN_EVENT_TYPE_START_OF_TURN:
                        self._spoken.set()
                        self._source.expect_speech()
                    elif event.type == asr_pb2.TURN_EVENT_TYPE_END_OF_TURN:
                        if not self._request.keep_listening:
                            return
                        self._source.expect_silence()
                case "error":
                    raise from_detail(response.error)
                case "drain":
                    self._send(robot_pb2.ListenResponse(drain=response.drain))
        raise Unavailable("asr: the service ended the stream", stage=common_pb2.STAGE_ASR)

    async def _good_bye(
        self, stream: Duplex[Request, Response], reader: asyncio.Task[None] | None
    ) -> None:
        """End the stream politely where it still lives."""
        if reader is None or not reader.done() or reader.cancelled() or reader.exception():
            stream.cancel()
            await cancel_and_wait(reader)
            return
        await stream.half_close()
        ended = asyncio.get_running_loop().create_task(self._drained(stream), name="listen end")
        if not await within(_GOODBYE_S, ended):
            stream.cancel()
            await cancel_and_wait(ended)

    async def _drained(self, stream: Duplex[Request, Response]) -> None:
        try:
            while await stream.read() is not None:
                pass
        except VoiceMeshError:
            return  # It ended badly after all was said.
