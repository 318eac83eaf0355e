"""Fixtures for all rooms: speech made with flite, and real services on loopback."""

from __future__ import annotations

import subprocess
import wave
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from voicemesh.registry import installed
from voicemesh.server import Server
from voicemesh.settings import load

Speech = Callable[..., NDArray[np.int16]]
Serving = Callable[..., AbstractAsyncContextManager[str]]


@cache
def _flite(text: str, voice: str) -> NDArray[np.int16]:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "speech.wav"
        subprocess.run(["flite", "-voice", voice, "-t", text, "-o", str(path)], check=True)
        with wave.open(str(path)) as file:
            assert file.getframerate() == 16_000
            samples = np.frombuffer(file.readframes(file.getnframes()), dtype=np.int16)
    samples.flags.writeable = False
    return samples


@pytest.fixture(scope="session")
def flite_speech() -> Speech:
    """``flite_speech(text, voice="rms")``: mono int16 samples at 16 kHz."""

    def speech(text: str, voice: str = "rms") -> NDArray[np.int16]:
        return _flite(text, voice)

    return speech


@pytest.fixture
def serving() -> Serving:
    """``async with serving("asr", **{"asr.engine": ...}) as target``: a real service.

    Keys are dotted paths of settings. The service runs in this process and event
    loop, on a free loopback port.
    """

    @asynccontextmanager
    async def start(name: str, **flags: Any) -> AsyncIterator[str]:
        ports = {f"{name}.port": "0", f"{name}.metrics_port": "-1", f"{name}.drain_grace_s": "0.2"}
        settings = load(environ={}, flags=ports | {k: str(v) for k, v in flags.items()})
        server = Server(installed("voicemesh.services")[name].factory(settings))
        try:
            await server.start()
            yield f"127.0.0.1:{server.port}"
        finally:
            await server.stop()

    return start
