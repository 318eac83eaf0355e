"""The synthesis service over real gRPC."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import grpc.aio
import numpy as np
import pytest
import pytest_asyncio
from numpy.typing import NDArray

from voicemesh.audio import pcm16
from voicemesh.audio_format import linear16
from voicemesh.errors import ERROR_METADATA_KEY, SettingsError
from voicemesh.server import Server
from voicemesh.settings import load
from voicemesh.v1 import common_pb2 as common
from voicemesh.v1 import tts_pb2 as pb
from voicemesh.v1.tts_pb2_grpc import SpeechSynthesizerServiceStub
from voicemesh_tts.service import SPEC, TtsService

pytestmark = pytest.mark.asyncio(loop_scope="module")

Call = Any
FAST = {"tts.engine": "embedded", "tts.embedded.flite_workers": "1"}


def stamp(turn: int = 1) -> common.Stamp:
    return common.Stamp(epoch=1, turn=turn)


def config(rate: int = 16_000, **fields: Any) -> pb.StreamingSynthesizeRequest:
    settings = pb.StreamingSynthesisConfig(
        conversation_id="c", audio_format=linear16(rate), **fields
    )
    return pb.StreamingSynthesizeRequest(stamp=stamp(0), streaming_config=settings)


def piece(
    text: str, number: int = 1, turn: int = 1, first_char: int = 0, last: bool = True
) -> pb.StreamingSynthesizeRequest:
    spoken = pb.SynthesisInput(piece=number, text=text, first_char=first_char, last=last)
    return pb.StreamingSynthesizeRequest(stamp=stamp(turn), input=spoken)


@asynccontextmanager
async def running(**flags: str) -> AsyncIterator[tuple[TtsService, str]]:
    """The service with one child of each kind, and its target."""
    ports = {"tts.port": "0", "tts.metrics_port": "-1", "tts.drain_grace_s": "0.2"}
    service = SPEC.factory(load(environ={}, flags=ports | FAST | flags))
    assert isinstance(service, TtsService)
    server = Server(service)
    try:
        await server.start()
        yield service, f"127.0.0.1:{server.port}"
    finally:
        await server.stop()


# Starting the children is what costs time: the tests share a service.
@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def target() -> AsyncIterator[str]:
    async with running() as (_, address):
        yield address


@asynccontextmanager
async def connected(target: str) -> AsyncIterator[Any]:
    async with grpc.aio.insecure_channel(target) as channel:
        yield SpeechSynthesizerServiceStub(channel)


async def opened(stub: Any, **fields: Any) -> Call:
    call = stub.StreamingSynthesize()
    await call.write(config(**fields))
    assert (await call.read()).WhichOneof("streaming_response") == "started"
    return call


async def until(call: Call, kind: str) -> list[pb.StreamingSynthesizeResponse]:
    """The responses up to and with the first of a kind."""
    got = []
    while True:
        response = await call.read()
        assert response is not grpc.aio.EOF, f"the stream ended before {kind}"
        got.append(response)
        if response.WhichOneof("streaming_response") == kind:
            return got


def audio(responses: list[pb.StreamingSynthesizeResponse]) -> NDArray[np.int16]:
    """The samples of one reply, which must follow each other without a gap."""
    chunks = [r.audio.chunk for r in responses if r.HasField("audio")]
    position = 0
    for chunk in chunks:
        assert chunk.first_sample == position
        position += len(chunk.audio) // 2
    return pcm16(b"".join(chunk.audio for chunk in chunks))


async def failure_of(call: Call) -> grpc.aio.AioRpcError:
    """How the stream ended, which must not be well."""
    try:
        while await call.read() is not grpc.aio.EOF:
            pass
        await call
    except grpc.aio.AioRpcError as error:
        return error
    raise AssertionError("the stream ended without an error")


def error_of(failure: grpc.aio.AioRpcError) -> common.ErrorDetail:
    values = dict(failure.trailing_metadata() or ())
    return common.ErrorDetail.FromString(values[ERROR_METADATA_KEY])


def loudness(samples: NDArray[np.int16], rate_hertz: int) -> float:
    frame = rate_hertz // 50
    frames = samples[: len(samples) // frame * frame].reshape(-1, frame) / 32768.0
    power = np.mean(frames**2, axis=1)
    return float(10 * np.log10(np.mean(power[power > 1e-4])))


async def test_a_reply_of_pieces_is_spoken_in_order_with_its_spans(target: str) -> None:
    text = "**Hello** there. The time is 10:30 now. Bye 😀"
    cuts = [text[:17], text[17:40], text[40:]]
    async with connected(target) as stub:
        call = await opened(stub, rate=24_000)
        begin, got = 0, []
        for number, cut in enumerate(cuts, 1):
            await call.write(piece(cut, number, first_char=begin, last=number == len(cuts)))
            begin += len(cut)
        for _ in cuts:
            got += await until(call, "piece_finished")
        await call.done_writing()
        assert await call.read() is grpc.aio.EOF
        assert await call.code() is grpc.StatusCode.OK
    samples = audio(got)
    assert 2.0 < len(samples) / 24_000 < 7.0
    finished = [r.piece_finished for r in got if r.HasField("piece_finished")]
    assert [f.piece for f in finished] == [1, 2, 3]
    assert [f.last for f in finished] == [False, False, True]
    assert sum(f.sample_count for f in finished) == len(samples)
    assert all(0 < f.first_audio_us <= f.total_us for f in finished)
    spans = [r.audio.span for r in got if r.HasField("audio")]
    assert spans[0].begin_char == 0
    assert spans[-1].end_char == len(text)
    for before, after in zip(spans, spans[1:], strict=False):
        assert before.begin_char <= after.begin_char <= before.end_char <= after.end_char


async def test_mixed_text_is_spoken_by_both_engines_equally_loud(target: str) -> None:
    text = "今天的天气很好我们去公园吧 the weather is sunny and warm today"
    border = text.index("the")
    async with connected(target) as stub:
        call = await opened(stub, rate=16_000)
        await call.write(piece(text))
        got = await until(call, "piece_finished")
    parts: dict[bool, list[bytes]] = {True: [], False: []}
    for response in got[:-1]:
        parts[response.audio.span.end_char <= border].append(response.audio.chunk.audio)
    levels = [loudness(pcm16(b"".join(parts[han])), 16_000) for han in (True, False)]
    assert abs(levels[0] - levels[1]) < 2.0, levels
    audio(got)


async def test_text_that_says_nothing_finishes_at_once(target: str) -> None:
    async with connected(target) as stub:
        call = await opened(stub)
        for number, text in enumerate(("", "😀 ***", "```code"), 1):
            await call.write(piece(text, number, last=number == 3))
            (response,) = await until(call, "piece_finished")
            assert response.piece_finished.sample_count == 0


async def test_a_newer_stamp_silences_the_older(target: str) -> None:
    async with connected(target) as stub:
        call = await opened(stub)
        await call.write(piece("This is a very long story. " * 40, turn=1))
        await until(call, "audio")
        await call.write(piece("Stop.", turn=2))
        got = await until(call, "piece_finished")
        assert got[-1].stamp.turn == 2
        newer = [r for r in got if r.stamp.turn == 2]
        assert got[-len(newer) :] == newer, "old audio came after new audio"
        assert 0 < len(audio(newer)) < 2 * 16_000
        # A late piece of the old reply is dropped without a word.
        await call.write(piece("More.", number=2, turn=1))
        await call.write(piece("Yes.", turn=3))
        assert all(r.stamp.turn == 3 for r in await until(call, "piece_finished"))


async def test_cancel_ends_the_reply_and_the_stream_lives_on(target: str) -> None:
    async with connected(target) as stub:
        call = await opened(stub)
        await call.write(piece("This is a very long story. " * 40, turn=1))
        await until(call, "audio")
        cancel = pb.CancelSynthesis(reason="barge-in")
        await call.write(pb.StreamingSynthesizeRequest(stamp=stamp(2), cancel=cancel))
        await call.write(piece("Fine.", turn=2))
        got = await until(call, "piece_finished")
        assert got[-1].stamp.turn == 2
        assert sum(r.HasField("audio") and r.stamp.turn == 1 for r in got) < 100


async def test_cancel_with_the_same_stamp_stops_only_what_is_older(target: str) -> None:
    async with connected(target) as stub:
        call = await opened(stub)
        await call.write(piece("Hello there."))
        cancel = pb.CancelSynthesis(reason="late")
        await call.write(pb.StreamingSynthesizeRequest(stamp=stamp(1), cancel=cancel))
        assert len(audio(await until(call, "piece_finished"))) > 4_000


async def test_two_streams_do_not_mix(target: str) -> None:
    async with connected(target) as stub:

        async def reply(text: str, rate: int) -> NDArray[np.int16]:
            call = await opened(stub, rate=rate)
            await call.write(piece(text))
            return audio(await until(call, "piece_finished"))

        together = await asyncio.gather(
            reply("One two three four.", 16_000), reply("你好。", 8_000)
        )
        alone = [await reply("One two three four.", 16_000), await reply("你好。", 8_000)]
    for both, single in zip(together, alone, strict=True):
        assert len(both) == pytest.approx(len(single), rel=0.1)  # flite's noise is random


@pytest.mark.parametrize(
    ("first", "code", "field"),
    [
        (piece("Hi"), common.ERROR_CODE_PROTOCOL, "streaming_config"),
        (pb.StreamingSynthesizeRequest(), common.ERROR_CODE_PROTOCOL, "streaming_config"),
        (
            config(rate=96_000),
            common.ERROR_CODE_INVALID_ARGUMENT,
            "streaming_config.audio_format.sample_rate_hertz",
        ),
        (
            pb.StreamingSynthesizeRequest(streaming_config=pb.StreamingSynthesisConfig()),
            common.ERROR_CODE_UNSUPPORTED,
            "streaming_config.audio_format.encoding",
        ),
        (
            config(language_code="tlh"),
            common.ERROR_CODE_UNSUPPORTED,
            "streaming_config.language_code",
        ),
        (config(voice_name="hal"), common.ERROR_CODE_NOT_FOUND, "streaming_config.voice_name"),
        (
            config(speaking_rate=3.0),
            common.ERROR_CODE_INVALID_ARGUMENT,
            "streaming_config.speaking_rate",
        ),
    ],
)
async def test_a_wrong_beginning_is_refused_by_its_field(
    target: str, first: pb.StreamingSynthesizeRequest, code: int, field: str
) -> None:
    async with connected(target) as stub:
        call = stub.StreamingSynthesize()
        await call.write(first)
        detail = error_of(await failure_of(call))
        assert (detail.code, detail.field) == (code, field)
        assert detail.message
        assert detail.stage == common.STAGE_TTS


@pytest.mark.parametrize(
    ("requests", "code", "field"),
    [
        ([config()], common.ERROR_CODE_PROTOCOL, "streaming_config"),
        ([pb.StreamingSynthesizeRequest()], common.ERROR_CODE_PROTOCOL, "streaming_request"),
    ],
)
async def test_a_request_out_of_order_ends_the_stream(
    target: str, requests: list[pb.StreamingSynthesizeRequest], code: int, field: str
) -> None:
    async with connected(target) as stub:
        call = await opened(stub)
        for request in requests:
            await call.write(request)
        detail = error_of(await failure_of(call))
        assert (detail.code, detail.field) == (code, field)


@pytest.mark.parametrize(
    ("request_", "code", "field"),
    [
        (piece("Hi", number=2), common.ERROR_CODE_PROTOCOL, "input.piece"),
        (piece("Hi", first_char=-1), common.ERROR_CODE_INVALID_ARGUMENT, "input.first_char"),
        (piece("Hi", first_char=2**31 - 2), common.ERROR_CODE_INVALID_ARGUMENT, "input.first_char"),
        (piece("a" * 2001), common.ERROR_CODE_INVALID_ARGUMENT, "input.text"),
    ],
)
async def test_a_bad_piece_fails_its_reply_and_the_stream_lives_on(
    target: str, request_: pb.StreamingSynthesizeRequest, code: int, field: str
) -> None:
    async with connected(target) as stub:
        call = await opened(stub)
        await call.write(request_)
        (response,) = await until(call, "error")
        assert (response.error.code, response.error.field) == (code, field)
        assert response.stamp.turn == 1
        await call.write(piece("Yes.", turn=2))
        assert len(audio(await until(call, "piece_finished"))) > 1_000


async def test_a_piece_after_the_last_is_refused(target: str) -> None:
    async with connected(target) as stub:
        call = await opened(stub)
        await call.write(piece("Yes.", last=True))
        await call.write(piece("More.", number=2))
        response = (await until(call, "error"))[-1]
        assert response.error.field == "input.last"


async def test_too_many_waiting_pieces_are_refused(target: str) -> None:
    async with running(**{"tts.max_waiting_pieces": "2"}) as (_, small), connected(small) as stub:
        call = await opened(stub)
        for number in range(1, 8):
            await call.write(piece("This sentence takes a while to say. " * 20, number, last=False))
        response = (await until(call, "error"))[-1]
        assert response.error.code == common.ERROR_CODE_BUSY
        assert response.error.field == "input.piece"


async def test_the_longest_piece_is_spoken(target: str) -> None:
    text = ("Two words. " * 200)[:2000]
    async with connected(target) as stub:
        call = await opened(stub, voice_name="kal16", rate=8_000)
        await call.write(piece(text))
        got = await until(call, "piece_finished")
        assert len(audio(got)) > 60 * 8_000
        assert all(len(r.audio.chunk.audio) <= 2 * 8_000 for r in got)


async def test_heartbeats_are_echoed_and_echoes_are_not(target: str) -> None:
    async with connected(target) as stub:
        call = await opened(stub)
        for sequence, is_echo in ((1, True), (2, False)):
            beat = common.Heartbeat(sequence=sequence, sent_ms=7, echo=is_echo)
            await call.write(pb.StreamingSynthesizeRequest(heartbeat=beat))
        (response,) = await until(call, "heartbeat")
        assert response.heartbeat == common.Heartbeat(sequence=2, sent_ms=7, echo=True)


async def test_pieces_are_finished_when_the_client_closes_its_side(target: str) -> None:
    async with connected(target) as stub:
        call = await opened(stub)
        await call.write(piece("Hello.", last=False))
        await call.done_writing()
        assert len(audio(await until(call, "piece_finished"))) > 1_000
        assert await call.read() is grpc.aio.EOF


async def test_one_stream_too_many_is_refused_and_a_vanished_client_frees_its_slot() -> None:
    limit = {"tts.max_concurrent_streams": "1"}
    async with running(**limit) as (service, target), connected(target) as stub:
        call = await opened(stub)
        await call.write(piece("This is a very long story. " * 40))
        await until(call, "audio")
        second = stub.StreamingSynthesize()
        await second.write(config())
        failure = await failure_of(second)
        assert failure.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert error_of(failure).retryable
        call.cancel()
        async with asyncio.timeout(5):
            await service.admission.idle()
        third = await opened(stub)
        await third.write(piece("Yes."))
        assert len(audio(await until(third, "piece_finished"))) > 1_000


def children(name: str) -> list[int]:
    """The process ids of our children that run the factory of that name."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/stat") as stat, open(f"/proc/{pid}/cmdline") as command:
                parent = int(stat.read().rsplit(")", 1)[1].split()[1])
                if parent == os.getpid() and f"voice_process:{name}" in command.read():
                    found.append(int(pid))
        except OSError:
            continue  # it has ended meanwhile
    return found


async def test_a_piece_is_repeated_when_its_idle_child_was_killed() -> None:
    others = set(children("flite"))
    async with running() as (_, target), connected(target) as stub:
        call = await opened(stub)
        await call.write(piece("Yes."))
        await until(call, "piece_finished")
        (child,) = set(children("flite")) - others
        os.kill(child, signal.SIGKILL)
        await call.write(piece("Yes again.", turn=2))
        got = await until(call, "piece_finished")
        assert len(audio([r for r in got if r.stamp.turn == 2])) > 1_000


async def test_a_unit_is_repeated_when_its_child_dies_before_the_first_audio() -> None:
    others = set(children("flite"))
    async with running() as (_, target), connected(target) as stub:
        call = await opened(stub)
        (child,) = set(children("flite")) - others
        os.kill(child, signal.SIGSTOP)
        await call.write(piece("Hello there."))
        await call.write(pb.StreamingSynthesizeRequest(heartbeat=common.Heartbeat(sequence=1)))
        await until(call, "heartbeat")  # the piece is under way
        os.kill(child, signal.SIGKILL)
        assert len(audio(await until(call, "piece_finished"))) > 4_000


async def test_a_child_that_hangs_fails_the_reply_and_is_replaced() -> None:
    others = set(children("flite"))
    async with running(**{"tts.unit_deadline_s": "0.5"}) as (_, target), connected(target) as stub:
        call = await opened(stub)
        (child,) = set(children("flite")) - others
        os.kill(child, signal.SIGSTOP)
        await call.write(piece("Hello there."))
        (response,) = await until(call, "error")
        assert response.error.code == common.ERROR_CODE_DEADLINE
        turn, spoken = 2, False
        async with asyncio.timeout(20):
            while not spoken:  # until the child has been replaced
                await call.write(piece("Hello again.", turn=turn))
                response = await call.read()
                spoken = response.HasField("audio")
                turn += 1
        assert child not in children("flite")


async def test_a_drain_is_announced_on_the_stream() -> None:
    async with running() as (service, target), connected(target) as stub:
        call = await opened(stub)
        await service.drain(common.DrainNotice(reason="stopping", grace_ms=200))
        (response,) = await until(call, "drain")
        assert response.drain.grace_ms == 200
        await call.done_writing()
        assert await call.read() is grpc.aio.EOF


async def test_voices_are_listed_by_language(target: str) -> None:
    async with connected(target) as stub:
        english = (await stub.ListVoices(pb.ListVoicesRequest(language_code="en-US"))).voices
        mandarin = (await stub.ListVoices(pb.ListVoicesRequest(language_code="zh"))).voices
        every = (await stub.ListVoices(pb.ListVoicesRequest())).voices
    assert english[0].name == "rms"
    assert {"slt", "awb", "kal16"} <= {v.name for v in english}
    assert mandarin[0].name == "espeak-cmn"
    assert mandarin[0].licence == "GPL-3.0-or-later"
    assert len(every) > 50


async def test_the_voice_of_the_stream_speaks_its_own_languages_only(target: str) -> None:
    async with connected(target) as stub:
        lengths = {}
        for name in ("rms", "kal16"):
            call = await opened(stub, voice_name=name)
            await call.write(piece("The light is on. 你好。"))
            got = await until(call, "piece_finished")
            lengths[name] = len(audio(got))
    assert lengths["rms"] != pytest.approx(lengths["kal16"], rel=0.02)


async def test_a_voice_of_the_settings_must_exist() -> None:
    with pytest.raises(SettingsError, match="tts.voices|espeak-cmn"):
        async with running(**{"tts.voices.zh": "rms"}):
            pass


async def test_a_client_that_does_not_read_loses_its_stream(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("voicemesh_tts.service.OUTBOX_MESSAGES", 8)
    async with running() as (_, target), connected(target) as stub:
        call = await opened(stub, rate=48_000, voice_name="kal16")
        await call.write(piece("This is a very long story. " * 70))
        await until(call, "audio")
        reply = next(t for t in asyncio.all_tasks() if t.get_name() == "reply c")
        async with asyncio.timeout(20):
            await asyncio.wait({reply})
        failure = await failure_of(call)
        assert failure.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert "read" in error_of(failure).message
        # Others are served.
        other = await opened(stub)
        await other.write(piece("Yes."))
        assert len(audio(await until(other, "piece_finished"))) > 1_000
