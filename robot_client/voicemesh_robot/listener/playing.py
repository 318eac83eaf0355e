"""One Play: a reply comes in, the playback clock goes back."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

from voicemesh.aio import cancel_and_wait
from voicemesh.audio import pcm16
from voicemesh.audio_format import check_chunk, check_format
from voicemesh.errors import ProtocolViolation
from voicemesh.heartbeats import echo_of
from voicemesh.v1 import common_pb2, robot_pb2
from voicemesh_robot.devices.device import DeviceLost
from voicemesh_robot.sound.playback_reports import send_playback_reports
from voicemesh_robot.sound.robot import Robot

Request = robot_pb2.PlayRequest
Response = robot_pb2.PlayResponse


class Playing:
    """Plays one reply to its end, or until it is stopped or replaced."""

    def __init__(
        self,
        first: Request,
        requests: AsyncIterator[Request],
        robot: Robot,
        send: Callable[[Response], None],
    ) -> None:
        """``first`` is the stream's first request, ``requests`` are the others.

        ``send`` sends a response; it never waits.
        """
        if first.WhichOneof("play_request") != "audio_format":
            raise ProtocolViolation(
                "the first message must carry audio_format", field="play_request"
            )
        self._rate = check_format(first.audio_format, "audio_format")
        self._stamp = first.stamp
        self._requests = requests
        self._robot = robot
        self._send_response = send

    def _send(self, response: Response) -> None:
        response.stamp.CopyFrom(self._stamp)
        self._send_response(response)

    async def run(self) -> None:
        """Return when the reply has been heard, or has been stopped."""
        speaker = self._robot.speaker
        loop = asyncio.get_running_loop()
        await speaker.begin(self._stamp, self._rate, self._lost)
        reading = loop.create_task(self._read(), name="play reader")
        reporting = loop.create_task(self._report(), name="play reports")
        try:
            await asyncio.wait({reading, reporting}, return_when=asyncio.FIRST_COMPLETED)
            if reading.done():
                reading.result()
                await asyncio.wait({reporting})
            reporting.result()
        finally:
            if speaker.stamp == self._stamp:
                speaker.stop()
            await cancel_and_wait(reading, reporting)

    async def _report(self) -> None:
        await send_playback_reports(
            self._robot.speaker,
            self._robot.microphone_sample,
            lambda report: self._send(Response(playback=report)),
            self._robot.settings.playback_report_ms / 1000,
        )

    def _lost(self, error: DeviceLost) -> None:
        self._send(Response(error=error.detail(common_pb2.STAGE_ROBOT)))

    async def _read(self) -> None:
        """Take the reply; the end of the requests without its end stops it."""
        speaker = self._robot.speaker
        expected = 0
        async for request in self._requests:
            match request.WhichOneof("play_request"):
                case "audio":
                    expected += check_chunk(request.audio, expected, self._rate, "audio")
                    await speaker.room()
                    speaker.add(pcm16(request.audio.audio))
                case "end_of_reply":
                    speaker.complete()
                    return
                case "heartbeat":
                    if (echo := echo_of(request.heartbeat)) is not None:
                        self._send(Response(heartbeat=echo))
                case "audio_format":
                    raise ProtocolViolation(
                        "audio_format may be sent only once", field="audio_format"
                    )
                case _:
                    raise ProtocolViolation("the message is empty", field="play_request")
        speaker.stop()
