"""Questions spoken to a mesh, and sound cards, for the tests of this room."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from pathlib import Path

import numpy as np
import pytest
import pytest_asyncio
from numpy.typing import NDArray

from voicemesh_robot.files.audio_file import write_wav

from .pulse_audio import PulseAudio

Speech = Callable[..., NDArray[np.int16]]
SpokenFile = Callable[..., Path]


@pytest.fixture
def spoken_file(flite_speech: Speech, tmp_path: Path) -> SpokenFile:
    """``spoken_file("what is the moon")``: a WAV that says it."""

    def speak(text: str, voice: str = "rms") -> Path:
        path = tmp_path / f"{text.replace(' ', '_')}.wav"
        write_wav(path, flite_speech(text, voice), 16_000)
        return path

    return speak


@pytest_asyncio.fixture(loop_scope="session")
async def pulse(tmp_path: Path) -> AsyncIterator[PulseAudio]:
    """A sound card of this test's own."""
    folder = tmp_path / "pulse"
    folder.mkdir()
    daemon = PulseAudio(folder)
    await daemon.start()
    yield daemon
    await daemon.kill()
