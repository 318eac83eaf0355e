"""talk and the listener through a real sound server: PyAudio hears, PyAudio speaks."""

from __future__ import annotations

import asyncio
import os
import re
import signal
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from voicemesh.audio_format import linear16
from voicemesh.grpc_client import open_channel
from voicemesh.supervisor import Mesh
from voicemesh.supervisor.ports import free_ports_on
from voicemesh.v1 import asr_pb2, dialog_pb2, robot_pb2
from voicemesh.v1.asr_pb2_grpc import SpeechRecognizerServiceStub
from voicemesh.v1.dialog_pb2_grpc import DialogServiceStub
from voicemesh.v1.robot_pb2_grpc import RobotListenerServiceStub
from voicemesh_robot.files.audio_file import write_wav
from voicemesh_robot.mesh.connection import ConversationOptions
from voicemesh_robot.mesh.conversation import Conversation

from .pulse_audio import PulseAudio, Samples

pytestmark = pytest.mark.asyncio(loop_scope="session")

Speech = Callable[..., NDArray[np.int16]]

# Their answers are short: all of this happens in real time.
QUESTIONS = ("can you hear me", "please say that again", "what is your name")


def address(mesh: Mesh) -> tuple[str, ...]:
    host, _, port = mesh.target.rpartition(":")
    return ("--host", host, "--port", port)


async def recognised(mesh: Mesh, heard: Samples) -> str:
    """What the mesh's own recogniser makes of a recording, silence around it left out."""
    loud = np.flatnonzero(heard)
    heard = heard[max(0, loud[0] - 3_200) : loud[-1] + 3_200]
    async with open_channel(mesh.services["asr"].planned.target) as channel:
        response = await SpeechRecognizerServiceStub(channel).Recognize(
            asr_pb2.RecognizeRequest(audio_format=linear16(16_000), audio=heard.tobytes()),
            wait_for_ready=True,
        )
    return " ".join(transcript.text for transcript in response.transcripts)


def shared_words(text: str, other: str) -> float:
    """The share of the words of ``text`` that ``other`` has too."""
    words, there = plain(text).split(), set(plain(other).split())
    return sum(word in there for word in words) / len(words)


def plain(text: str) -> str:
    """A text without case and marks."""
    return re.sub(r"[^\w' ]", "", text.lower())


async def test_three_spoken_questions_are_answered_in_one_dialled_in_conversation(
    mesh: Mesh, pulse: PulseAudio, flite_speech: Speech
) -> None:
    async with (
        asyncio.timeout(180),
        pulse.recording() as recorded,
        pulse.command("talk", *address(mesh), "--turns", "3") as talk,
    ):
        await talk.line("listening: speak")
        for number, question in enumerate(QUESTIONS, start=1):
            begin = len(recorded.samples)
            await pulse.say(flite_speech(question))
            assert plain(await talk.line("you:")) == f"you   {question}"
            answer = (await talk.line("robot: ")).removeprefix("robot: ")
            if number == 3:
                assert await talk.end() == 0
            text = await recognised(mesh, await recorded.wait_for_silence(begin=begin))
            assert shared_words(answer, text) > 0.5, (answer, text)
    assert sum("connected to" in line for line in talk.lines) == 1


async def test_three_questions_are_answered_when_a_controller_triggers_the_listener(
    mesh: Mesh, pulse: PulseAudio, flite_speech: Speech
) -> None:
    port = str(free_ports_on(["127.0.0.1"])[0])
    service = ("listen-service", "--port", port, "--set", "robot.metrics_port=-1")
    async with (
        asyncio.timeout(180),
        pulse.recording() as recorded,
        pulse.command(*service) as listener,
        open_channel(mesh.target) as mesh_channel,
        open_channel(f"127.0.0.1:{port}") as robot_channel,
    ):
        assert (await listener.line("listening for orchestrators on")).endswith(f":{port}")
        robot = RobotListenerServiceStub(robot_channel)
        for question in QUESTIONS:
            begin = len(recorded.samples)
            turn = DialogServiceStub(mesh_channel).RunTurn(
                dialog_pb2.RunTurnRequest(robot_target=f"127.0.0.1:{port}")
            )
            while not (await robot.GetStatus(robot_pb2.GetStatusRequest())).listening:
                pass
            await pulse.say(flite_speech(question))
            news = [response async for response in turn]
            ended = news[-1].turn_ended
            assert plain(ended.question) == question
            assert ended.outcome == dialog_pb2.TURN_OUTCOME_COMPLETED
            assert any(response.HasField("playback") for response in news)
            text = await recognised(mesh, await recorded.wait_for_silence(begin=begin))
            assert shared_words(ended.heard_text, text) > 0.5, (ended.heard_text, text)


@pytest.mark.long
async def test_who_speaks_into_an_answer_is_answered_instead(
    mesh: Mesh, pulse: PulseAudio, flite_speech: Speech
) -> None:
    async with (
        asyncio.timeout(90),
        pulse.recording() as recorded,
        # This sound card has no echo, like a headset: with the usual 900 ms of sound before that
        # is believed, all of these words might be taken for the robot's own.
        pulse.command(
            *("talk", *address(mesh), "--turns", "1", "--set", "robot.echo.search_ms=400")
        ) as talk,
    ):
        await talk.line("connected to")
        await pulse.say(flite_speech("what is artificial intelligence"))
        await talk.line("you:")
        await recorded.loud()
        await pulse.say(flite_speech("can you hear me"))
        await talk.line("(interrupted: speech)")
        begin = len(recorded.samples)
        assert await talk.line("you:") == "you:   Can you hear me?"
        answer = (await talk.line("robot: ")).removeprefix("robot: ")
        assert await talk.end() == 0
        text = await recognised(mesh, await recorded.wait_for_silence(begin=begin))
    assert shared_words(answer, text) > 0.5, (answer, text)


@pytest.mark.long
async def test_talk_goes_on_after_the_orchestrator_was_killed(
    mesh: Mesh, pulse: PulseAudio, flite_speech: Speech
) -> None:
    async with (
        asyncio.timeout(120),
        pulse.command("talk", *address(mesh), "--turns", "2") as talk,
    ):
        await talk.line("connected to")
        await pulse.say(flite_speech("can you hear me"))
        await talk.line("robot: ")
        os.kill(mesh.services["orchestrator"].pid, signal.SIGKILL)
        await talk.line("trying again")
        await talk.line("connected to")
        await pulse.say(flite_speech("how old are you"))
        assert await talk.line("you:") == "you:   How old are you?"
        await talk.line("robot: ")


async def test_robot_behind_a_router_is_woken_by_a_signal_and_answers(
    mesh: Mesh, pulse: PulseAudio, flite_speech: Speech, tmp_path: Path
) -> None:
    question, answer = tmp_path / "question.wav", tmp_path / "answer.wav"
    write_wav(question, flite_speech("can you hear me"), 16_000)
    sound = ("--audio-in", str(question), "--output-file", str(answer))
    async with (
        asyncio.timeout(120),
        pulse.command("listen-service", "--dial", mesh.target, *sound) as service,
    ):
        assert re.search(r"connected to \S+, conversation \S+$", await service.line("connected to"))
        assert mesh.target in await service.line("listening for the orchestrator at")
        service.process.send_signal(signal.SIGUSR1)
        await service.line("turn ended: completed")
        service.process.send_signal(signal.SIGTERM)
        assert await service.end() == 0
    heard, _ = soundfile.read(answer, dtype="int16")
    assert "yes" in plain(await recognised(mesh, heard))


async def test_reply_ends_for_a_client_that_never_reports_playback(mesh: Mesh) -> None:
    options = ConversationOptions(target=mesh.target, input_rate_hertz=None)
    async with asyncio.timeout(60), await Conversation.open(options) as conversation:
        await conversation.send_text("can you hear me")
        while True:
            event = await conversation.receive()
            if isinstance(event.payload, dialog_pb2.TurnEnded):
                break
        assert event.payload.outcome == dialog_pb2.TURN_OUTCOME_COMPLETED
        assert event.payload.heard_text == "Yes, I can hear you."
