"""A synthesis stream that is not used gives its place back, and says by which setting."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import grpc.aio
import pytest

from voicemesh import errors
from voicemesh.audio_format import linear16
from voicemesh.grpc_client import open_channel
from voicemesh.v1 import common_pb2
from voicemesh.v1 import tts_pb2 as pb
from voicemesh.v1.tts_pb2_grpc import SpeechSynthesizerServiceStub

Serving = Callable[..., AbstractAsyncContextManager[str]]
Open = Callable[..., AbstractAsyncContextManager[Any]]

STAMP = common_pb2.Stamp(epoch=1, turn=1)
CONFIG = pb.StreamingSynthesizeRequest(
    streaming_config=pb.StreamingSynthesisConfig(audio_format=linear16(16_000))
)
BEAT = pb.StreamingSynthesizeRequest(stamp=STAMP, heartbeat=common_pb2.Heartbeat(sequence=1))


@pytest.fixture
def synthesis(serving: Serving) -> Open:
    """``async with synthesis(**settings) as stub``."""

    @asynccontextmanager
    async def start(**settings: Any) -> AsyncIterator[Any]:
        flags = {f"tts.{name.replace('__', '.')}": value for name, value in settings.items()}
        async with (
            serving("tts", **{"tts.engine": "simulated"}, **flags) as target,
            open_channel(target) as channel,
        ):
            yield SpeechSynthesizerServiceStub(channel)

    return start


async def opened(stub: Any) -> Any:
    call = stub.StreamingSynthesize()
    await call.write(CONFIG)
    assert (await call.read()).HasField("started")
    return call


async def failure(call: Any, beats: bool = False) -> errors.VoiceMeshError:
    """What ends the stream; ``beats``: though heartbeats came.

    They do not go on until the end: gRPC hides why a stream ended from who still writes.
    """
    if beats:
        for _ in range(3):
            await call.write(BEAT)
            while not (await call.read()).HasField("heartbeat"):
                pass
    try:
        while await call.read() is not grpc.aio.EOF:
            pass
    except grpc.aio.AioRpcError as error:
        return errors.from_rpc(error, common_pb2.STAGE_TTS)
    raise AssertionError("the stream ended well")


@pytest.mark.parametrize("name", ["first_message_s", "client_silence_s", "heartbeats_only_s"])
async def test_streams_that_are_not_used_end(synthesis: Open, name: str) -> None:
    async with synthesis(**{f"deadlines__{name}": 0.1}) as stub:
        call = stub.StreamingSynthesize() if name == "first_message_s" else await opened(stub)
        ended = await failure(call, beats=name == "heartbeats_only_s")
    assert isinstance(ended, errors.DeadlineExceeded)
    assert "0.1 s" in ended.message
    assert f"tts.deadlines.{name}" in ended.message


async def test_silent_streams_make_room_for_one_that_speaks(synthesis: Open) -> None:
    async with synthesis(max_concurrent_streams=1, deadlines__heartbeats_only_s=0.1) as stub:
        silent = await opened(stub)
        await failure(silent, beats=True)
        await opened(stub)


async def test_who_reads_a_long_reply_is_not_silent(synthesis: Open) -> None:
    # Half a second of work on a text, and nothing is sent meanwhile.
    slow = {"simulated__first_chunk_ms": 500, "deadlines__client_silence_s": 0.1}
    async with synthesis(**slow) as stub:
        call = await opened(stub)
        text = pb.SynthesisInput(piece=1, text="Hello.", last=True)
        await call.write(pb.StreamingSynthesizeRequest(stamp=STAMP, input=text))
        while not (response := await call.read()).HasField("piece_finished"):
            pass
        assert response.piece_finished.last
        assert isinstance(await failure(call), errors.DeadlineExceeded)


async def test_a_reply_whose_next_piece_never_comes_holds_no_place(synthesis: Open) -> None:
    async with synthesis(deadlines__heartbeats_only_s=0.2) as stub:
        call = await opened(stub)
        text = pb.SynthesisInput(piece=1, text="Hello.", last=False)
        await call.write(pb.StreamingSynthesizeRequest(stamp=STAMP, input=text))
        assert isinstance(await failure(call, beats=True), errors.DeadlineExceeded)
