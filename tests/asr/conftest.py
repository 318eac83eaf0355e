"""What the ASR tests share: a client of the real service, and the tiny Whisper model."""

import json
import wave
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import grpc.aio
import numpy as np
import pytest

from voicemesh.audio import Samples
from voicemesh.v1.asr_pb2_grpc import SpeechRecognizerServiceStub

Recognizer = Callable[[str], AbstractAsyncContextManager[Any]]


@pytest.fixture
def recognizer() -> Recognizer:
    """``async with recognizer(target) as stub``."""

    @asynccontextmanager
    async def connect(target: str) -> AsyncIterator[Any]:
        async with grpc.aio.insecure_channel(target) as channel:
            yield SpeechRecognizerServiceStub(channel)

    return connect


@pytest.fixture
async def stub(
    serving: Callable[..., AbstractAsyncContextManager[str]], recognizer: Recognizer
) -> AsyncIterator[Any]:
    """A client of a service that hears one speaker."""
    async with (
        serving("asr", **{"asr.engine": "pocketsphinx", "asr.pocketsphinx.workers": 1}) as target,
        recognizer(target) as stub,
    ):
        yield stub


_WHISPER = Path(__file__).parents[1] / "sophon" / "assets" / "whisper"


class TinyWhisper:
    """A Whisper of 64 states and windows of 4 s that knows a few sentences, and what it answers."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.manifest: dict[str, Any] = json.loads((folder / "manifest.json").read_text())
        self.positions_file = folder / "tables" / "positional_embedding_nano.npz"
        self.vocabulary_file = folder / "tables" / "vocab_nano.tiktoken"

    def five_files(self, chip: str, cores: int = 1) -> tuple[Path, ...]:
        files = sorted((self.folder / chip).glob("all_quant_*.bmodel"))
        return tuple(f for f in files if f.stem.endswith("2core") == (cores == 2))

    def one_file(self, chip: str, nets: int) -> tuple[Path, ...]:
        name = {5: "whisper5", 6: "bmwhisper"}[nets]
        return tuple((self.folder / chip).glob(f"{name}_*.bmodel"))

    def samples(self, name: str) -> Samples:
        with wave.open(str(self.folder / "wavs" / name)) as file:
            return np.frombuffer(file.readframes(file.getnframes()), dtype=np.int16)

    def text(self, name: str) -> str:
        (text,) = (w["text"] for w in self.manifest["wavs"] if w["wav"] == name)
        return str(text)

    def language(self, name: str) -> str:
        (language,) = (w["language"] for w in self.manifest["wavs"] if w["wav"] == name)
        return str(language or "en")

    def expected(self, name: str) -> dict[str, Any]:
        """What the bmodels gave on the simulator when they were made."""
        verified: dict[str, Any] = self.manifest["verified_on_cmodel"]["bm1688_five_files"][name]
        return verified


@pytest.fixture(scope="session")
def tiny_whisper() -> TinyWhisper:
    """The tiny Whisper model of the tests."""
    return TinyWhisper(_WHISPER)
