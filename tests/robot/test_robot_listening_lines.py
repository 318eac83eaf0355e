"""A person is told when a robot listens, also where standard output is no terminal."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from voicemesh.grpc_client import open_channel
from voicemesh.supervisor import Mesh
from voicemesh.v1.robot_pb2 import GetStatusRequest
from voicemesh.v1.robot_pb2_grpc import RobotListenerServiceStub
from voicemesh_robot.files.audio_file import write_wav

pytestmark = pytest.mark.asyncio(loop_scope="session")

NextLine = Callable[[str], Any]


@asynccontextmanager
async def running(folder: Path, *arguments: str) -> AsyncIterator[NextLine]:
    """``voicemesh ARGUMENTS`` on files; the function waits for a line that has a text."""
    write_wav(folder / "quiet.wav", np.ones(16_000, np.int16), 16_000)
    sound = ("--audio-in", str(folder / "quiet.wav"), "--output-file", str(folder / "said.wav"))
    buffered = {k: v for k, v in os.environ.items() if k != "PYTHONUNBUFFERED"}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "voicemesh", *arguments, *sound),
        env=buffered,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
    )
    out = process.stdout
    assert out is not None

    async def line(text: str) -> str:
        async with asyncio.timeout(60):
            while text not in (read := (await out.readline()).decode()):
                assert read, f"it ended without a word of {text!r}"
            return read.strip()

    try:
        yield line
    finally:
        process.send_signal(signal.SIGINT)
        assert await process.wait() == 0


async def test_listen_service_says_where_orchestrators_reach_it(tmp_path: Path) -> None:
    ports = ("--host", "127.0.0.1", "--port", "0", "--set", "robot.metrics_port=-1")
    async with running(tmp_path, "listen-service", *ports) as line:
        told = await line("listening for orchestrators on")
        (target,) = re.findall(r"on (127\.0\.0\.1:[1-9]\d+)$", told)
        async with open_channel(target) as channel:
            status = RobotListenerServiceStub(channel).GetStatus(GetStatusRequest(), timeout=30)
            assert not (await status).listening


async def test_a_robot_that_dials_says_whom_it_listens_for(mesh: Mesh, tmp_path: Path) -> None:
    async with running(tmp_path, "listen-service", "--dial", mesh.target) as line:
        assert mesh.target in await line("listening for the orchestrator at")


async def test_talk_asks_to_speak_when_it_listens(mesh: Mesh, tmp_path: Path) -> None:
    host, _, port = mesh.target.rpartition(":")
    async with running(tmp_path, "talk", "--host", host, "--port", port) as line:
        await line("connected to")
        assert await line("listening") == "listening: speak"
