"""What a speaker's stream holds goes with it, without the garbage collector's help."""

import gc
import weakref
from collections.abc import Callable, Iterator
from contextlib import AbstractAsyncContextManager
from typing import Any

import grpc.aio
import pytest

from voicemesh.audio_format import linear16
from voicemesh.v1 import asr_pb2 as pb
from voicemesh_asr.vad.silero import SileroVad

Serving = Callable[..., AbstractAsyncContextManager[str]]
Recognizer = Callable[[str], AbstractAsyncContextManager[Any]]


@pytest.fixture
def detectors(monkeypatch: pytest.MonkeyPatch) -> Iterator[weakref.WeakSet[SileroVad]]:
    """The Silero detectors that live. Nothing is collected meanwhile but by reference counts."""
    living: weakref.WeakSet[SileroVad] = weakref.WeakSet()
    init = SileroVad.__init__

    def counted(self: SileroVad, *arguments: Any) -> None:
        init(self, *arguments)
        living.add(self)

    monkeypatch.setattr(SileroVad, "__init__", counted)
    gc.collect()
    gc.disable()
    yield living
    gc.enable()


async def test_a_detectors_network_is_freed_with_its_stream(
    serving: Serving, recognizer: Recognizer, detectors: weakref.WeakSet[SileroVad]
) -> None:
    config = pb.StreamingRecognitionConfig(
        audio_format=linear16(16_000), vad=pb.VadOptions(name="silero")
    )
    async with (
        serving("asr", **{"asr.engine": "pocketsphinx", "asr.pocketsphinx.workers": 1}) as target,
        recognizer(target) as stub,
    ):
        for _ in range(3):
            call = stub.StreamingRecognize()
            await call.write(pb.StreamingRecognizeRequest(streaming_config=config))
            assert (await call.read()).started.vad.name == "silero"
            assert detectors  # The newest one lives while its stream does.
            await call.done_writing()
            assert await call.read() is grpc.aio.EOF
    assert not detectors
