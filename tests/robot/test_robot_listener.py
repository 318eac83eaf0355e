"""The listener service over real gRPC, with devices in memory."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import Any

import grpc.aio
import numpy as np
import pytest
from numpy.typing import NDArray

from voicemesh.audio_format import linear16
from voicemesh.errors import Busy, InvalidArgument, Superseded, from_rpc
from voicemesh.grpc_client import open_channel
from voicemesh.server import Server
from voicemesh.supervisor.plan import make_plan
from voicemesh.v1 import asr_pb2, common_pb2
from voicemesh.v1 import robot_pb2 as pb
from voicemesh.v1.asr_pb2_grpc import (
    SpeechRecognizerServiceServicer,
    add_SpeechRecognizerServiceServicer_to_server,
)
from voicemesh.v1.robot_pb2_grpc import RobotListenerServiceStub
from voicemesh_robot.devices.memory import MemoryMicrophone, MemorySpeaker
from voicemesh_robot.listener.service import RobotService
from voicemesh_robot.settings import RobotSettings
from voicemesh_robot.sound.robot import Robot

Speech = Callable[..., NDArray[np.int16]]
Serving = Callable[..., AbstractAsyncContextManager[str]]
Samples = NDArray[np.int16]

ROBOT = common_pb2.STAGE_ROBOT
REPLY = np.random.default_rng(5).integers(-9_000, 9_000, 8_000).astype(np.int16)


def stamp(turn: int) -> common_pb2.Stamp:
    return common_pb2.Stamp(epoch=1, turn=turn)


@dataclass
class Hardware:
    """A served robot: its devices and a client of its service."""

    microphone: MemoryMicrophone
    speaker: MemorySpeaker
    stub: Any

    async def play(
        self, turn: int, samples: Samples = REPLY
    ) -> grpc.aio.StreamStreamCall[Any, Any]:
        """A Play call whose reply has arrived whole."""
        call = self.stub.Play()
        await call.write(pb.PlayRequest(stamp=stamp(turn), audio_format=linear16(16_000)))
        for first in range(0, len(samples), 1_600):
            chunk = common_pb2.AudioChunk(
                audio=samples[first : first + 1_600].tobytes(), first_sample=first
            )
            await call.write(pb.PlayRequest(stamp=stamp(turn), audio=chunk))
        beat = common_pb2.Heartbeat(sequence=7)
        await call.write(pb.PlayRequest(stamp=stamp(turn), heartbeat=beat))
        while not (await call.read()).heartbeat.echo:
            pass
        end = common_pb2.EndOfUtterance(sample=len(samples))
        await call.write(pb.PlayRequest(stamp=stamp(turn), end_of_reply=end))
        return call  # type: ignore[no-any-return]  # The stub is of any kind.

    async def status(self) -> pb.GetStatusResponse:
        status: pb.GetStatusResponse = await self.stub.GetStatus(pb.GetStatusRequest())
        return status

    async def until(self, holds: Callable[[pb.GetStatusResponse], bool]) -> None:
        """Ask for the status until it is as wanted."""
        async with asyncio.timeout(10):
            while not holds(await self.status()):
                pass

    async def say(self, samples: Samples) -> None:
        """Record samples in blocks, once the microphone is open."""
        await self.microphone.opened.wait()
        for first in range(0, len(samples), 320):
            self.microphone.record(samples[first : first + 320])
            await asyncio.sleep(0)


@asynccontextmanager
async def robot(**settings: Any) -> AsyncIterator[Hardware]:
    microphone, speaker = MemoryMicrophone(), MemorySpeaker()
    values = RobotSettings(port=0, metrics_port=-1, drain_grace_s=0.2, **settings)
    service = RobotService(values, Robot(values, microphone=microphone, speaker=speaker))
    server = Server(service)
    await server.start()
    async with open_channel(f"127.0.0.1:{server.port}") as channel:
        try:
            yield Hardware(microphone, speaker, RobotListenerServiceStub(channel))
        finally:
            await server.stop()


async def responses_of(call: Any) -> list[pb.PlayResponse]:
    """All responses until the call ends."""
    responses: list[pb.PlayResponse] = []
    async with asyncio.timeout(10):
        while (response := await call.read()) is not grpc.aio.EOF:
            responses.append(response)
    return responses


async def rest_of(call: Any) -> list[common_pb2.PlaybackReport]:
    """The playback reports until the call ends."""
    return [r.playback for r in await responses_of(call) if r.HasField("playback")]


def quiet(seconds: float) -> Samples:
    return np.zeros(int(seconds * 16_000), dtype=np.int16)


async def test_robot_hears_one_turn_and_tells_its_events(
    serving: Serving, flite_speech: Speech
) -> None:
    async with serving("asr") as asr, robot() as hardware:
        request = pb.ListenRequest(stamp=stamp(1), asr=pb.AsrTicket(target=asr))
        call = hardware.stub.Listen(request)
        await hardware.say(
            np.concatenate([quiet(0.5), flite_speech("what is a robot"), quiet(2.5)])
        )
        async with asyncio.timeout(30):
            events = [r.turn_event async for r in call if r.HasField("turn_event")]
        assert events[0].type == asr_pb2.TURN_EVENT_TYPE_START_OF_TURN
        assert events[-1].type == asr_pb2.TURN_EVENT_TYPE_END_OF_TURN
        assert events[-1].transcript.text == "What is a robot?"
        await hardware.until(lambda status: not status.listening)


class Doorkeeper(SpeechRecognizerServiceServicer):
    """Refuses all, and remembers the tickets that it was shown."""

    def __init__(self) -> None:
        self.shown: list[str] = []

    async def StreamingRecognize(  # type: ignore[override]  # The stubs know generators only.
        self, request_iterator: Any, context: Any
    ) -> None:
        metadata = dict(context.invocation_metadata())
        self.shown.append(metadata.get("voicemesh-asr-ticket", "none"))
        await anext(request_iterator)
        await context.abort(grpc.StatusCode.PERMISSION_DENIED, "another ticket, please")

    async def Recognize(self, request: Any, context: Any) -> asr_pb2.RecognizeResponse:
        return asr_pb2.RecognizeResponse()


async def test_the_ticket_is_shown_to_the_recogniser() -> None:
    door: Any = Doorkeeper()
    server = grpc.aio.server()
    add_SpeechRecognizerServiceServicer_to_server(door, server)
    target = f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    await server.start()
    async with robot() as hardware:
        for turn, ticket in ((1, "open sesame"), (2, "")):
            asr = pb.AsrTicket(target=target, ticket=ticket)
            call = hardware.stub.Listen(pb.ListenRequest(stamp=stamp(turn), asr=asr))
            (refused,) = [response.error async for response in call]
            assert "another ticket" in refused.message
            assert refused.stage == common_pb2.STAGE_ASR
    await server.stop(None)
    assert door.shown == ["open sesame", "none"]


async def test_sound_comes_back_where_no_recogniser_is_named(flite_speech: Speech) -> None:
    said = flite_speech("hello")
    async with robot() as hardware:
        call = hardware.stub.Listen(pb.ListenRequest(stamp=stamp(1)))
        await hardware.say(np.concatenate([quiet(1), said, quiet(2)]))
        position: int | None = None
        heard: list[Samples] = []
        silent = 0
        async with asyncio.timeout(10):
            while sum(map(len, heard)) + silent < 2.8 * 16_000:
                response = await call.read()
                match response.WhichOneof("listen_response"):
                    case "audio":
                        part = np.frombuffer(response.audio.audio, dtype=np.int16)
                        first, count = response.audio.first_sample, len(part)
                        heard.append(part)
                    case "silence":
                        first, count = response.silence.first_sample, response.silence.sample_count
                        silent += count
                    case _:
                        continue
                assert position is None or first == position
                position = first + count
        joined = np.concatenate(heard)
        loud = np.flatnonzero(np.abs(said) > 1_000)
        word = said[loud[0] : loud[-1]]
        places = np.flatnonzero(joined == word[0])
        assert any(np.array_equal(joined[place : place + len(word)], word) for place in places)
        assert silent > 16_000
        await hardware.stub.Stop(pb.StopRequest(stamp=stamp(1), listening=True))
        async with asyncio.timeout(10):
            while await call.read() is not grpc.aio.EOF:
                pass
        assert await call.code() == grpc.StatusCode.OK
        assert not (await hardware.status()).listening


async def test_nobody_speaks_and_that_is_told(serving: Serving) -> None:
    async with serving("asr") as asr, robot() as hardware:
        call = hardware.stub.Listen(
            pb.ListenRequest(stamp=stamp(1), asr=pb.AsrTicket(target=asr), no_speech_timeout_ms=200)
        )
        async with asyncio.timeout(20):
            (response,) = [r async for r in call]
        assert response.error.code == common_pb2.ERROR_CODE_DEADLINE
        assert response.error.stage == ROBOT
        assert "nobody spoke within 0.2 s" in response.error.message


async def test_missing_microphone_and_recogniser_are_told_in_the_stream() -> None:
    async with robot() as hardware:
        request = pb.ListenRequest(stamp=stamp(1), asr=pb.AsrTicket(target="127.0.0.1:1"))
        (response,) = [r async for r in hardware.stub.Listen(request)]
        assert response.error.code == common_pb2.ERROR_CODE_UNAVAILABLE
        assert response.error.stage == common_pb2.STAGE_ASR
        hardware.microphone.unplug()
        request = pb.ListenRequest(stamp=stamp(2))
        (response,) = [r async for r in hardware.stub.Listen(request)]
        assert response.error.stage == ROBOT
        assert "plug it in" in response.error.message


async def test_reply_is_played_to_its_end_and_its_clock_comes_back() -> None:
    async with robot(playback_report_ms=20) as hardware:
        call = await hardware.play(1)
        assert (hardware.speaker.play(5_000) == REPLY[:5_000]).all()
        await hardware.until(lambda status: status.playback.played_samples == 5_000)
        hardware.speaker.play(20_000)
        reports = await rest_of(call)
        assert (hardware.speaker.heard() == REPLY).all()
        assert reports[-1].played_samples == len(REPLY)
        assert reports[-1].drained
        played = [report.played_samples for report in reports]
        microphone = [report.microphone_sample for report in reports]
        assert played == sorted(played)
        assert microphone == sorted(microphone)
        assert all(report.stamp == stamp(1) for report in reports)


async def test_stop_in_the_middle_of_a_word_is_silence_with_the_next_buffer() -> None:
    async with robot() as hardware:
        call = await hardware.play(1)
        hardware.speaker.play(3_333)
        response = await hardware.stub.Stop(pb.StopRequest(stamp=stamp(1)))
        assert len(hardware.speaker.play(320)) == 0
        assert response.playback.played_samples == 3_333
        assert (await rest_of(call))[-1].played_samples == 3_333
        assert not (await hardware.status()).playing


async def test_pause_and_resume_are_exact_to_the_sample() -> None:
    async with robot() as hardware:
        call = await hardware.play(1)
        hardware.speaker.play(1_001)
        paused = await hardware.stub.Pause(pb.PauseRequest(stamp=stamp(1)))
        assert (paused.playback.paused, paused.playback.played_samples) == (True, 1_001)
        assert (await hardware.status()).paused
        assert len(hardware.speaker.play(5_000)) == 0
        resumed = await hardware.stub.Resume(pb.ResumeRequest(stamp=stamp(1)))
        assert not resumed.playback.paused
        hardware.speaker.play(20_000)
        assert (await rest_of(call))[-1].drained
        assert (hardware.speaker.heard() == REPLY).all()


async def test_newer_reply_replaces_the_older_and_an_equal_one_is_refused() -> None:
    async with robot() as hardware:
        first = await hardware.play(2)
        for turn, kind in ((2, Busy), (1, Superseded)):
            call = hardware.stub.Play()
            await call.write(pb.PlayRequest(stamp=stamp(turn), audio_format=linear16(16_000)))
            with pytest.raises(grpc.aio.AioRpcError) as refused:
                await call.read()
            assert type(from_rpc(refused.value, ROBOT)) is kind
        hardware.speaker.play(100)
        second = await hardware.play(3, REPLY[::-1])
        with pytest.raises(grpc.aio.AioRpcError) as ended:
            await rest_of(first)
        assert isinstance(from_rpc(ended.value, ROBOT), Superseded)
        hardware.speaker.play(20_000)
        assert (await rest_of(second))[-1].played_samples == len(REPLY)
        assert (hardware.speaker.heard()[100:] == REPLY[::-1]).all()
        await hardware.play(4)
        with pytest.raises(grpc.aio.AioRpcError):  # Nobody pauses a reply that is gone.
            await hardware.stub.Pause(pb.PauseRequest(stamp=stamp(3)))


async def test_client_that_goes_away_leaves_silence() -> None:
    async with robot() as hardware:
        call = await hardware.play(1)
        hardware.speaker.play(320)
        call.cancel()
        await hardware.until(lambda status: not status.playing)
        assert len(hardware.speaker.play(320)) == 0


async def test_speaker_that_disappears_goes_on_where_it_was_when_it_is_back() -> None:
    async with robot() as hardware:
        call = await hardware.play(1)
        hardware.speaker.play(1_000)
        hardware.speaker.unplug()
        hardware.speaker.plug_in()
        async with asyncio.timeout(10):
            await hardware.speaker.opened.wait()
        hardware.speaker.play(20_000)
        responses = await responses_of(call)
        assert [r.error.stage for r in responses if r.HasField("error")] == [ROBOT]
        assert responses[-1].playback.drained
        assert (hardware.speaker.heard() == REPLY).all()


async def test_reply_pauses_when_the_user_speaks_and_goes_on_when_nobody_stops_it(
    flite_speech: Speech,
) -> None:
    # A microphone that hears no speaker; the canceller would first have to find that out.
    async with robot(resume_after_ms=100, echo={"canceller": "none"}) as hardware:
        call = await hardware.play(1)
        hardware.speaker.play(1_000)
        listen = hardware.stub.Listen(pb.ListenRequest(stamp=stamp(1)))
        await hardware.say(flite_speech("stop"))
        await hardware.until(lambda status: status.paused)
        await hardware.until(lambda status: not status.paused)
        hardware.speaker.play(20_000)
        assert (await rest_of(call))[-1].drained
        assert (hardware.speaker.heard() == REPLY).all()
        listen.cancel()


async def test_status_tells_level_clipping_and_devices() -> None:
    async with robot(facts={"battery": "0.5"}) as hardware:
        call = hardware.stub.Listen(pb.ListenRequest(stamp=stamp(1)))
        await hardware.say(np.full(8_000, 32_767, dtype=np.int16))
        await hardware.until(lambda status: status.microphone_level_dbfs > -0.1)
        status = await hardware.status()
        assert status.listening
        assert status.clipped_share == 1.0
        assert (status.microphone, status.speaker) == ("memory", "memory")
        assert status.facts == {"battery": "0.5"}
        call.cancel()


async def test_request_that_cannot_be_served_names_its_field() -> None:
    async with robot() as hardware:
        config = asr_pb2.StreamingRecognitionConfig(audio_format=linear16(8_000))
        call = hardware.stub.Listen(pb.ListenRequest(stamp=stamp(1), recognition=config))
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await call.read()
        error = from_rpc(refused.value, ROBOT)
        assert isinstance(error, InvalidArgument)
        assert error.field == "recognition.audio_format"
        play = hardware.stub.Play()
        await play.write(pb.PlayRequest(stamp=stamp(1)))
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await play.read()
        assert from_rpc(refused.value, ROBOT).field == "play_request"


def test_mesh_starts_the_listener_only_when_it_is_named() -> None:
    everything = make_plan((), None, {}, ephemeral=True)
    assert "robot" not in [service.name for service in everything.services]
    named = make_plan(("robot",), None, {}, ephemeral=True)
    assert [service.name for service in named.services] == ["robot"]
