"""``voicemesh control`` against a whole mesh and a robot's real listener service."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from voicemesh.grpc_client import open_channel
from voicemesh.server import Server
from voicemesh.supervisor import Mesh
from voicemesh.v1 import asr_pb2, common_pb2, dialog_pb2
from voicemesh.v1.operations_pb2 import ListTurnsRequest
from voicemesh.v1.operations_pb2_grpc import OperationsServiceStub
from voicemesh_robot.listener.service import RobotService
from voicemesh_robot.mesh.controlled_turn_record import ControlledTurnRecord
from voicemesh_robot.settings import RobotSettings

pytestmark = pytest.mark.asyncio(loop_scope="session")

SpokenFile = Callable[..., Path]
News = dialog_pb2.RunTurnResponse

TIMINGS = [
    "listening",
    "endpoint_wait",
    "asr_final",
    "llm_first_token",
    "llm_total",
    "tts_first_audio",
    "playback_start",
    "playback_end",
    "total",
]


@asynccontextmanager
async def listener(**settings: Any) -> AsyncIterator[str]:
    """A robot's listener whose devices are files."""
    devices = {"microphone": "none", "speaker": "none"} | settings
    robot = RobotSettings(port=0, metrics_port=-1, drain_grace_s=0.2, **devices)
    server = Server(RobotService(robot))
    await server.start()
    try:
        yield f"127.0.0.1:{server.port}"
    finally:
        await server.stop()


async def begin(target: str, *arguments: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "voicemesh", "control", "--orchestrator", target, *arguments),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        # A shell's background job ignores Ctrl-C, and so would the command as its child.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )


async def control(target: str, *arguments: str) -> tuple[int, str]:
    """The command's exit status and what it printed."""
    process = await begin(target, *arguments)
    async with asyncio.timeout(90):
        output, _ = await process.communicate()
    assert process.returncode is not None
    return process.returncode, output.decode()


async def test_turns_are_run_and_their_timings_printed(
    mesh: Mesh, spoken_file: SpokenFile, tmp_path: Path
) -> None:
    microphone, speaker = spoken_file("how old are you"), tmp_path / "speaker.wav"
    report = tmp_path / "report.json"
    async with listener(microphone=str(microphone), speaker=str(speaker)) as robot:
        status, text = await control(
            mesh.target, "--robot", robot, "--turns", "2", "--json", str(report)
        )
    assert status == 0, text
    assert text.count("you:   How old are you?") == 2
    assert text.count("robot: ") == 2
    assert "Turn 2 of 2" in text
    turns = json.loads(report.read_text())["turns"]
    for turn in turns:
        assert turn["question"] == "How old are you?"
        assert turn["outcome"] == "completed"
        assert turn["heard_text"] == turn["reply_text"].strip()
        timings = turn["timings_ms"]
        assert set(timings) <= set(TIMINGS)
        assert set(TIMINGS) - {"asr_final"} <= set(timings)
        assert timings["playback_start"] < timings["playback_end"]
        assert timings["listening"] < timings["total"]
    for name in TIMINGS:
        words = name.replace("_", " ")
        assert words == "asr final" or words in text.lower()
    spoken, _ = soundfile.read(speaker, dtype="int16")
    assert np.abs(spoken).max() > 1000


async def test_a_typed_question_is_answered_by_the_robot(mesh: Mesh, tmp_path: Path) -> None:
    speaker = tmp_path / "speaker.wav"
    async with listener(speaker=str(speaker)) as robot:
        status, text = await control(mesh.target, "--robot", robot, "--text", "hello")
    assert status == 0, text
    assert "you:   hello" in text
    assert "playback end" in text
    assert "listening" not in text
    assert soundfile.info(speaker).frames > 8_000


async def test_a_robot_that_streams_to_the_recogniser_itself(
    mesh: Mesh, serving: Any, spoken_file: SpokenFile
) -> None:
    places = {name: mesh.services[name].planned.target for name in ("asr", "llm", "tts")}
    settings = {f"orchestrator.{name}_target": target for name, target in places.items()}
    settings["orchestrator.robot_asr_target"] = places["asr"]
    async with (
        serving("orchestrator", **settings) as target,
        listener(microphone=str(spoken_file("how old are you"))) as robot,
    ):
        status, text = await control(target, "--robot", robot, "--once")
    assert status == 0, text
    assert "you:   How old are you?" in text


async def dialled_in(target: str) -> str:
    """The conversation that a robot has opened, once it has."""
    async with asyncio.timeout(30), open_channel(target) as channel:
        operations = OperationsServiceStub(channel)
        while not (turns := (await operations.ListTurns(ListTurnsRequest())).turns):
            pass
        return str(turns[0].conversation_id)


async def test_a_robot_that_has_dialled_out_is_controlled_by_its_conversation(
    mesh: Mesh, spoken_file: SpokenFile, tmp_path: Path
) -> None:
    report = tmp_path / "report.json"
    robot = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "voicemesh", "listen-service", "--dial", mesh.target),
        *("--audio-in", str(spoken_file("how old are you"))),
        *("--output-file", str(tmp_path / "speaker.wav")),
    )
    try:
        conversation = await dialled_in(mesh.target)
        status, text = await control(
            mesh.target, "--conversation", conversation, "--turns", "3", "--json", str(report)
        )
    finally:
        robot.terminate()
        await robot.wait()
    assert status == 0, text
    turns = json.loads(report.read_text())["turns"]
    assert [turn["question"] for turn in turns] == ["How old are you?"] * 3
    for turn in turns:
        assert set(TIMINGS) - {"asr_final"} <= set(turn["timings_ms"])


async def test_nobody_speaks(mesh: Mesh, serving: Any) -> None:
    places = {name: mesh.services[name].planned.target for name in ("asr", "llm", "tts")}
    settings = {f"orchestrator.{name}_target": target for name, target in places.items()}
    settings["orchestrator.no_speech_timeout_ms"] = "200"
    async with serving("orchestrator", **settings) as target, listener() as robot:
        status, text = await control(target, "--robot", robot, "--once")
    assert status == 1
    assert "nobody spoke within 0.2 s" in text


@pytest.mark.parametrize(
    ("arguments", "status", "sentence"),
    [
        (("--robot", "127.0.0.1:9", "--once"), 1, "no listener answers at 127.0.0.1:9"),
        (("--robot", "127.0.0.1:9"), 1, "no listener answers at 127.0.0.1:9"),
        (("--robot", "nowhere", "--once"), 1, "name the robot's listener as host:port"),
        (("--conversation", "nobody", "--once"), 1, "no conversation 'nobody' is open"),
        (("--once",), 2, "--robot --conversation is required"),
        (("--robot", "a:1", "--conversation", "b"), 2, "not allowed with"),
        (("--robot", "a:1", "--turns", "0"), 2, "at least 1"),
    ],
)
async def test_what_cannot_be_is_said_in_a_sentence(
    mesh: Mesh, arguments: tuple[str, ...], status: int, sentence: str
) -> None:
    returned, text = await control(mesh.target, *arguments)
    assert returned == status
    assert sentence in text
    assert "Traceback" not in text


async def test_an_orchestrator_that_is_not_there_is_named() -> None:
    status, text = await control("127.0.0.1:9", "--robot", "127.0.0.1:8", "--once")
    assert status == 1
    assert "orchestrator: nothing answers at 127.0.0.1:9" in text


async def test_an_interrupted_controller_silences_the_robot(mesh: Mesh, tmp_path: Path) -> None:
    speaker = tmp_path / "speaker.wav"
    async with listener(speaker=str(speaker)) as robot:
        process = await begin(mesh.target, "--robot", robot, "--text", "what is the moon")
        assert process.stdout is not None
        async with asyncio.timeout(30):
            while not (line := await process.stdout.readline()).startswith(b"you:"):
                assert line, "it has ended"
            try:
                await process.stdout.readuntil(b"robot: The")
            except asyncio.IncompleteReadError as error:
                raise AssertionError(error.partial.decode()) from None
            process.send_signal(signal.SIGINT)
            await process.communicate()
            assert process.returncode == 130
            # The robot is free at once, and the turn that was broken off is remembered.
            status, text = await control(mesh.target, "--robot", robot, "--text", "hello")
    assert status == 0, text


async def test_playback_counts_from_the_end_of_the_question() -> None:
    record = ControlledTurnRecord(asked_s=100.0)
    stamp = common_pb2.Stamp(epoch=1, turn=1)
    end = asr_pb2.TurnEvent(type=asr_pb2.TURN_EVENT_TYPE_END_OF_TURN, final_pass_us=4_000)
    end.transcript.text = "hello"
    report = common_pb2.PlaybackReport(stamp=stamp)
    drained = common_pb2.PlaybackReport(stamp=stamp, drained=True)
    steps = {"last_voiced": 0, "endpoint": 300, "question": 301, "llm_first_token": 321}
    ended = dialog_pb2.TurnEnded(
        outcome=dialog_pb2.TURN_OUTCOME_COMPLETED,
        timeline=[dialog_pb2.StageTime(name=n, at_us=ms * 1000) for n, ms in steps.items()],
    )
    record.take(News(stamp=stamp, turn_event=end), 102.0)
    record.take(News(stamp=stamp, reply_text=dialog_pb2.ReplyText(text="Hello!")), 102.1)
    record.take(News(stamp=stamp, playback=report), 102.2)
    record.take(News(stamp=stamp, playback=drained), 103.2)
    record.take(News(stamp=stamp, turn_ended=ended), 103.3)
    assert record.answered
    assert record.timings() == [
        ("listening", 2000.0),
        ("endpoint wait", 300.0),
        ("ASR final", 4.0),
        ("LLM first token", 20.0),
        ("playback start", 500.0),
        ("playback end", 1500.0),
        ("total", 3300.0),
    ]
