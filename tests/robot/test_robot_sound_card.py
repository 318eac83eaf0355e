"""The listener service with PyAudio and a real sound server, sample by sample."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import grpc.aio
import numpy as np
import pytest
from numpy.typing import NDArray

from voicemesh.audio_format import linear16
from voicemesh.grpc_client import open_channel
from voicemesh.supervisor.ports import free_ports_on
from voicemesh.v1 import common_pb2
from voicemesh.v1 import robot_pb2 as pb
from voicemesh.v1.robot_pb2_grpc import RobotListenerServiceStub

from .pulse_audio import PulseAudio, Samples, matching_share

pytestmark = pytest.mark.asyncio(loop_scope="session")

Speech = Callable[..., NDArray[np.int16]]

ATTEMPTS = 4
"""A busy machine drops sound; one good passage shows that the way is right."""


def stamp(turn: int) -> common_pb2.Stamp:
    return common_pb2.Stamp(epoch=1, turn=turn)


@asynccontextmanager
async def listener(pulse: PulseAudio) -> AsyncIterator[Any]:
    """A client of ``voicemesh listen-service`` on the daemon's devices."""
    port = str(free_ports_on(["127.0.0.1"])[0])
    arguments = ("--port", port, "--set", "robot.metrics_port=-1", "--vad-type", "none")
    async with pulse.command("listen-service", *arguments) as service:
        await service.line("robot serves on")
        async with open_channel(f"127.0.0.1:{port}") as channel:
            yield RobotListenerServiceStub(channel)


async def play(stub: Any, turn: int, samples: Samples) -> list[pb.PlayResponse]:
    call = stub.Play()
    await call.write(pb.PlayRequest(stamp=stamp(turn), audio_format=linear16(16_000)))
    for first in range(0, len(samples), 1_600):
        audio = samples[first : first + 1_600].tobytes()
        chunk = common_pb2.AudioChunk(audio=audio, first_sample=first)
        await call.write(pb.PlayRequest(stamp=stamp(turn), audio=chunk))
    end = common_pb2.EndOfUtterance(sample=len(samples))
    await call.write(pb.PlayRequest(stamp=stamp(turn), end_of_reply=end))
    return [response async for response in call]


class Heard:
    """What a Listen call has brought so far, silence as zeros."""

    def __init__(self, call: grpc.aio.UnaryStreamCall[Any, Any]) -> None:
        self._call = call
        self._parts: list[Samples] = []
        self._grown = asyncio.Condition()
        self._task = asyncio.ensure_future(self._read())

    async def _read(self) -> None:
        async for response in self._call:
            if response.HasField("audio"):
                self._parts.append(np.frombuffer(response.audio.audio, dtype=np.int16))
            elif response.HasField("silence"):
                self._parts.append(np.zeros(response.silence.sample_count, dtype=np.int16))
            async with self._grown:
                self._grown.notify_all()

    @property
    def samples(self) -> Samples:
        return np.concatenate([np.zeros(0, dtype=np.int16), *self._parts])

    async def until(self, begin: int, seconds: float) -> Samples:
        """Wait for so much after ``begin``."""
        async with self._grown:
            await self._grown.wait_for(lambda: len(self.samples) - begin >= seconds * 16_000)
        return self.samples[begin:]

    async def close(self) -> None:
        self._call.cancel()
        await asyncio.wait({self._task})


async def test_reply_leaves_the_speaker_as_it_was_sent(
    pulse: PulseAudio, flite_speech: Speech
) -> None:
    said = flite_speech("a robot is a machine")
    shares = []
    async with asyncio.timeout(150), listener(pulse) as stub:
        for turn in range(1, ATTEMPTS + 1):
            async with pulse.recording() as recorded:
                await recorded.running()
                responses = await play(stub, turn, said)
                assert responses[-1].playback.played_samples == len(said)
                assert responses[-1].playback.drained
                heard = await recorded.wait_for_silence()
            shares.append(matching_share(heard, said))
            if shares[-1] >= 0.8:
                return
    raise AssertionError(f"little of the reply was heard: {shares}")


async def test_question_reaches_the_listener_as_it_was_spoken(
    pulse: PulseAudio, flite_speech: Speech
) -> None:
    said = flite_speech("what does a robot do all day long")
    shares = []
    async with asyncio.timeout(150), listener(pulse) as stub:
        heard = Heard(stub.Listen(pb.ListenRequest(stamp=stamp(1))))
        await heard.until(0, 0.1)
        for _ in range(ATTEMPTS):
            begin = len(heard.samples)
            await pulse.say(said)
            part = await heard.until(begin, len(said) / 16_000 + 1)
            shares.append(matching_share(part, said))
            if shares[-1] >= 0.8:
                await heard.close()
                return
    raise AssertionError(f"little of the question was heard: {shares}")


@pytest.mark.long
async def test_microphone_comes_back_after_the_sound_server_was_killed(
    pulse: PulseAudio, flite_speech: Speech
) -> None:
    said = flite_speech("what is a robot")
    async with asyncio.timeout(150), listener(pulse) as stub:
        heard = Heard(stub.Listen(pb.ListenRequest(stamp=stamp(1))))
        await heard.until(0, 0.1)
        await pulse.kill()
        await pulse.start()
        for _ in range(3 * ATTEMPTS):
            begin = len(heard.samples)
            await pulse.say(said)
            part = await heard.until(begin, len(said) / 16_000 + 3)
            if part.any() and matching_share(part, said) > 0.5:
                await heard.close()
                return
    raise AssertionError("the microphone did not come back")


def noise(seconds: float) -> Samples:
    """Of which no two passages are alike; without what a resampler takes away."""
    white = np.random.default_rng(3).normal(0, 12_000, int(seconds * 16_000))
    return np.convolve(white, np.ones(4) / 4, "same").astype(np.int16)


async def test_stop_in_the_middle_of_a_sound_leaves_nothing_of_the_rest(pulse: PulseAudio) -> None:
    said = noise(3.0)
    async with asyncio.timeout(60), listener(pulse) as stub, pulse.recording() as recorded:
        await recorded.running()
        playing = asyncio.ensure_future(play(stub, 1, said))
        while (await stub.GetStatus(pb.GetStatusRequest())).playback.played_samples < 16_000:
            pass
        stopped = await stub.Stop(pb.StopRequest(stamp=stamp(1)))
        ended = (await playing)[-1].playback
        heard = await recorded.wait_for_silence()
    taken = stopped.playback.played_samples
    assert (ended.played_samples, ended.drained) == (taken, True)
    assert matching_share(heard, said[:taken], segment=800) > 0.8
    assert matching_share(heard, said[taken:], segment=800) == 0


async def test_microphone_that_is_plugged_in_again_is_heard_again(
    pulse: PulseAudio, flite_speech: Speech
) -> None:
    said = flite_speech("what is a robot")
    async with asyncio.timeout(60), listener(pulse) as stub:
        heard = Heard(stub.Listen(pb.ListenRequest(stamp=stamp(1))))
        await heard.until(0, 0.1)
        await pulse.unplug("mic")
        await pulse.plug_in("mic")
        begin = len(heard.samples)
        while not heard.samples[begin:].any() or matching_share(heard.samples[begin:], said) < 0.8:
            await pulse.say(said)
            await heard.until(len(heard.samples), len(said) / 16_000 + 0.5)
        await heard.close()


@pytest.mark.long
async def test_reply_goes_on_when_the_speaker_is_plugged_in_again(pulse: PulseAudio) -> None:
    said = noise(4.0)
    async with asyncio.timeout(60), listener(pulse) as stub:
        playing = asyncio.ensure_future(play(stub, 1, said))
        while (await stub.GetStatus(pb.GetStatusRequest())).playback.played_samples < 8_000:
            pass
        await pulse.unplug("speaker")
        await pulse.plug_in("speaker")
        async with pulse.recording() as recorded:
            responses = await playing
            heard = await recorded.wait_for_silence()
        assert responses[-1].playback.drained
        assert matching_share(heard, said[32_000:], segment=800) > 0.5


async def test_devices_are_listed_and_the_defaults_marked(pulse: PulseAudio) -> None:
    listed = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-m", "voicemesh", "devices"],
        env=pulse.environment,
        capture_output=True,
        text=True,
        check=True,
    )
    lines = listed.stdout.splitlines()
    assert any("microphone, speaker" in line and "default" in line for line in lines[1:])
    assert any("pulse (ALSA)" in line for line in lines)
    assert listed.stderr == ""
