"""The Mandarin voice on a simulated chip, through the service and as an engine."""

from __future__ import annotations

import json
import wave
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from typing import Any, Literal

import grpc.aio
import numpy as np
import pytest
import pytest_asyncio
from grpc_health.v1 import health_pb2, health_pb2_grpc
from numpy.typing import NDArray
from prometheus_client import REGISTRY

from voicemesh.audio import pcm16
from voicemesh.audio_format import linear16
from voicemesh.errors import EngineError, SettingsError, Unavailable
from voicemesh.server import Server
from voicemesh.settings import load
from voicemesh.v1 import common_pb2 as common
from voicemesh.v1 import tts_pb2 as pb
from voicemesh.v1.tts_pb2_grpc import SpeechSynthesizerServiceStub
from voicemesh.work_counter import WorkCounter
from voicemesh_sophon.devices import DevicesSettings
from voicemesh_sophon.owner_process import OwnerProcess
from voicemesh_tts.engines.engine import SpokenChunk
from voicemesh_tts.engines.sophon_vits.engine import VOICE, SophonVits
from voicemesh_tts.engines.sophon_vits.settings import SophonVitsSettings
from voicemesh_tts.engines.sophon_vits.trimming import trimmed
from voicemesh_tts.service import SPEC

pytestmark = pytest.mark.asyncio(loop_scope="module")

RATE = 16_000
LEVEL = 0.005
ONE_CORE = ("bm1688/bert_1688_f32_1core.bmodel", "bm1688/vits_chinese_128_bm1688_f16_1core.bmodel")
# The reference for this sentence was made without tone sandhi between words.
PLAIN_TONES = "是指使用 shi4 zhi3 shi3 yong4\n"
LONG = (
    "人工智能可以帮助我们完成很多工作，也能够回答各种各样的问题，它可以打开客厅的灯，"
    "可以播放你喜欢的音乐，还可以告诉你今天的天气怎么样，明天要不要带雨伞，"
    "如果你愿意的话，我们也可以一起学习一门新的语言，或者只是随便聊聊天"
)

ASSETS = Path(__file__).parents[1] / "sophon" / "assets" / "vits"
SENTENCES: dict[str, Any] = json.loads((ASSETS / "manifest.json").read_text())["sentences"]


def paths(files: tuple[str, ...]) -> list[str]:
    return [str(ASSETS / file) for file in files]


@asynccontextmanager
async def running(owner: OwnerProcess, **fields: Any) -> AsyncIterator[str]:
    """The service on a simulated chip; its target."""
    engine = {
        "model_files": json.dumps(paths(ONE_CORE)),
        "vocabulary_file": str(ASSETS / "vocab.txt"),
    } | fields
    flags = {
        "tts.port": "0",
        "tts.metrics_port": "-1",
        "tts.drain_grace_s": "0.2",
        "tts.engine": "sophon-vits",
        "tts.language": "zh",
        "devices.backend": "cmodel",
        "devices.simulated_chip": "bm1688",
        "devices.socket_folder": str(owner.placement("tts").socket.parent),
        "devices.tts.cores": "[0]",
        **{f"tts.sophon_vits.{name}": str(value) for name, value in engine.items()},
    }
    server = Server(SPEC.factory(load(environ={}, flags=flags)))
    try:
        await server.start()
        yield f"127.0.0.1:{server.port}"
    finally:
        await server.stop()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def target(chip_owner: Any, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[str]:
    dictionary = tmp_path_factory.mktemp("words") / "words.txt"
    dictionary.write_text(PLAIN_TONES)
    fields: dict[str, Any] = {"tail_ms": 0, "dictionary_file": dictionary}
    fields["embedded.flite_workers"] = 1
    async with running(chip_owner("bm1688"), **fields) as address:
        yield address


def stamp(turn: int) -> common.Stamp:
    return common.Stamp(epoch=1, turn=turn)


def piece(text: str, turn: int) -> pb.StreamingSynthesizeRequest:
    spoken = pb.SynthesisInput(piece=1, text=text, last=True)
    return pb.StreamingSynthesizeRequest(stamp=stamp(turn), input=spoken)


@asynccontextmanager
async def opened(target: str, **fields: Any) -> AsyncIterator[Any]:
    config = pb.StreamingSynthesisConfig(audio_format=linear16(RATE), **fields)
    async with grpc.aio.insecure_channel(target) as channel:
        call: Any = SpeechSynthesizerServiceStub(channel).StreamingSynthesize()
        await call.write(pb.StreamingSynthesizeRequest(stamp=stamp(0), streaming_config=config))
        assert (await call.read()).HasField("started")
        yield call
        await call.done_writing()
        while await call.read() is not grpc.aio.EOF:
            pass


async def until(
    call: Any, kind: Literal["audio", "piece_finished"]
) -> list[pb.StreamingSynthesizeResponse]:
    got: list[pb.StreamingSynthesizeResponse] = []
    while not got or not got[-1].HasField(kind):
        response = await call.read()
        assert response is not grpc.aio.EOF, f"the stream ended before {kind}"
        assert not response.HasField("error"), response.error
        got.append(response)
    return got


async def reply(target: str, text: str, **fields: Any) -> list[pb.SynthesizedAudio]:
    async with opened(target, **fields) as call:
        await call.write(piece(text, 1))
        got = await until(call, "piece_finished")
    return [r.audio for r in got if r.HasField("audio")]


def joined(parts: list[pb.SynthesizedAudio]) -> NDArray[np.int16]:
    return pcm16(b"".join(part.chunk.audio for part in parts))


def check_spans(parts: list[pb.SynthesizedAudio], length: int) -> None:
    spans = [part.span for part in parts]
    assert (spans[0].begin_char, spans[-1].end_char) == (0, length)
    for before, after in zip(spans, spans[1:], strict=False):
        assert before.begin_char <= after.begin_char <= before.end_char <= after.end_char


def counted(what: str) -> float:
    return REGISTRY.get_sample_value(f"voicemesh_tts_{what}_total") or 0.0


def expected(name: str) -> NDArray[np.float32]:
    """The reference of a sentence from its first sound on, at its own level."""
    with wave.open(str(ASSETS / "expected" / f"{name}.wav")) as file:
        samples = pcm16(file.readframes(file.getnframes()))
    return trimmed(samples.astype(np.float32) / np.float32(32768), RATE, LEVEL, 0)


@pytest.mark.parametrize("name", sorted(SENTENCES))
async def test_a_sentence_sounds_as_the_reference_does(target: str, name: str) -> None:
    text = SENTENCES[name]["text"]
    parts = await reply(target, text)
    heard, wanted = joined(parts), expected(name)
    assert len(heard) == len(wanted)
    assert np.corrcoef(heard, wanted)[0, 1] >= 0.999
    check_spans(parts, len(text))


async def test_mixed_text_is_spoken_whole_by_both_voices(target: str) -> None:
    text = "请打开WiFi。The kitchen light is on. 现在是10:30，气温25℃。"
    parts = await reply(target, text)
    check_spans(parts, len(text))
    english = text.index("The"), text.index("现在")
    seconds = {"before": 0.0, "english": 0.0, "after": 0.0}
    for part in parts:
        where = (
            "before"
            if part.span.end_char <= english[0]
            else "after"
            if part.span.begin_char >= english[1]
            else "english"
        )
        seconds[where] += len(part.chunk.audio) / 2 / RATE
    assert 0.7 < seconds["before"] < 3.0
    assert 1.0 < seconds["english"] < 3.5
    assert 2.0 < seconds["after"] < 6.0
    samples = joined(parts).astype(np.float64) / 32768
    frames = samples[: len(samples) // 320 * 320].reshape(-1, 320)
    assert np.sqrt((frames**2).mean(axis=1)).max() < 0.5


async def test_a_long_sentence_is_spoken_in_several_windows(target: str) -> None:
    parts = await reply(target, LONG)
    check_spans(parts, len(LONG))
    samples = joined(parts)
    # More than the network says in one launch, at the pace of one.
    pace = SENTENCES["long"]["seconds"] / len(SENTENCES["long"]["text"])
    assert len(samples) / RATE == pytest.approx(len(LONG) * pace, rel=0.15)
    assert len(samples) > 900 * 256
    # Where windows meet there is silence of the length of a clause's pause.
    quiet = np.convolve(np.abs(samples) < 40, np.ones(round(0.15 * RATE)), "valid")
    assert quiet.max() == round(0.15 * RATE)
    jumps = np.abs(np.diff(samples.astype(int)))
    within = np.abs(np.diff(joined(await reply(target, SENTENCES["long"]["text"])).astype(int)))
    assert jumps.max() <= 1.2 * within.max()


async def test_a_higher_rate_speaks_faster(target: str) -> None:
    text = SENTENCES["hello"]["text"]
    usual = len(joined(await reply(target, text)))
    fast = len(joined(await reply(target, text, speaking_rate=1.5)))
    assert fast / usual == pytest.approx(1 / 1.5, rel=0.02)


async def test_a_newer_stamp_silences_the_older_between_windows(target: str) -> None:
    async with opened(target) as call:
        await call.write(piece(f"{LONG}。" * 4, turn=1))
        await until(call, "audio")
        await call.write(piece("好", turn=2))
        got = await until(call, "piece_finished")
    newer = [r for r in got if r.stamp.turn == 2]
    assert got[-len(newer) :] == newer
    assert sum(len(r.audio.chunk.audio) for r in got if r.stamp.turn == 1) / 2 < 20 * RATE
    assert len(joined([r.audio for r in newer if r.HasField("audio")])) == len(expected("one"))


@pytest.mark.parametrize("text", ["", "。。。", "😀", "𠮷"])
async def test_a_piece_without_anything_to_say_is_finished_in_silence(
    target: str, text: str
) -> None:
    assert len(joined(await reply(target, text))) == 0


async def test_characters_that_cannot_be_said_are_counted(target: str) -> None:
    before = counted("unspoken_characters")
    assert len(joined(await reply(target, "你好𠮷"))) > 0.2 * RATE
    assert counted("unspoken_characters") == before + 1


async def test_the_voices_are_listed_with_the_mandarin_one_first(target: str) -> None:
    async with grpc.aio.insecure_channel(target) as channel:
        stub = SpeechSynthesizerServiceStub(channel)
        listed = await stub.ListVoices(pb.ListVoicesRequest(language_code="zh"))
        english = await stub.ListVoices(pb.ListVoicesRequest(language_code="en"))
    assert listed.voices[0].name == VOICE
    assert listed.voices[0].native_sample_rate_hertz == RATE
    assert english.voices[0].name == "rms"


async def test_the_service_speaks_again_after_its_chips_owner_died(tmp_path: Path) -> None:
    states = health_pb2.HealthCheckResponse
    devices = DevicesSettings(backend="cmodel", socket_folder=tmp_path)
    with OwnerProcess(devices) as owner:
        async with running(owner, tail_ms=0, other_languages=False) as target:
            before = joined(await reply(target, "好"))
            async with grpc.aio.insecure_channel(target) as channel:
                health: Any = health_pb2_grpc.HealthStub(channel)
                watch = health.Watch(health_pb2.HealthCheckRequest())
                assert (await watch.read()).status == states.SERVING
                owner.kill()
                assert (await watch.read()).status == states.NOT_SERVING
                with pytest.raises(grpc.aio.AioRpcError) as refused:
                    await reply(target, "好")
                assert refused.value.code() is grpc.StatusCode.UNAVAILABLE
                with OwnerProcess(devices):
                    assert (await watch.read()).status == states.SERVING
                    after = joined(await reply(target, "好"))
                watch.cancel()
    assert after.tolist() == before.tolist()


# The engine alone.


@asynccontextmanager
async def engine(owner: OwnerProcess, **fields: Any) -> AsyncIterator[SophonVits]:
    settings = {
        "model_files": paths(ONE_CORE),
        "vocabulary_file": ASSETS / "vocab.txt",
        "other_languages": False,
    } | fields
    made = SophonVits(
        SophonVitsSettings.model_validate(settings), owner.placement("tts", cores=(0,))
    )
    try:
        await made.load()
        yield made
    finally:
        await made.close()


async def spoken(made: SophonVits, text: str) -> list[SpokenChunk]:
    async with aclosing(made.synthesize(text, made.voices()[0], 1.0, WorkCounter())) as chunks:
        return [chunk async for chunk in chunks]


async def test_speech_that_is_longer_than_the_buffer_is_said_in_two(chip_owner: Any) -> None:
    text = "创窗床" * 20  # the slowest syllables of this voice
    async with engine(chip_owner("bm1688")) as made:
        before = counted("split_windows")
        chunks = await spoken(made, text)
        assert counted("split_windows") > before
        half = await spoken(made, text[:30])
    assert (chunks[0].begin, chunks[-1].end) == (0, len(text))
    samples = sum(len(chunk.samples) for chunk in chunks)
    assert samples > 900 * 256
    assert samples == pytest.approx(2 * sum(len(c.samples) for c in half), rel=0.1)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"model_files": paths(ONE_CORE[:1])}, "there must be one net with 2 inputs for the voice"),
        ({"model_files": paths((ONE_CORE[1],))}, "one net with 3 inputs for the prosody"),
        ({"hop_samples": 1000}, "hop_samples"),
        ({"hop_samples": 1024}, "self-test gave no speech"),
        ({"model_files": paths(("vocab.txt", ONE_CORE[1]))}, r"vocab\.txt"),
        ({"model_files": paths(("bm1684x/tts_bm1684x.bmodel",))}, "BM1684X"),
        ({"model_files": ()}, "model_files"),
        ({"vocabulary_file": ASSETS / "none.txt"}, "vocabulary_file"),
    ],
)
async def test_wrong_files_are_told_with_the_cure(
    chip_owner: Any, fields: dict[str, Any], message: str
) -> None:
    with pytest.raises((EngineError, SettingsError), match=message):
        async with engine(chip_owner("bm1688"), **fields):
            pass


async def test_a_closed_engine_refuses_to_speak(chip_owner: Any) -> None:
    async with engine(chip_owner("bm1688")) as made:
        pass
    with pytest.raises(Unavailable):
        await spoken(made, "你好.")


async def test_a_lost_owner_is_told_and_a_new_engine_speaks(tmp_path: Path) -> None:
    devices = DevicesSettings(backend="cmodel", socket_folder=tmp_path)
    with OwnerProcess(devices) as owner:
        async with engine(owner) as made:
            usual = await spoken(made, "你好.")
            owner.kill()
            with pytest.raises(Unavailable):
                await spoken(made, "你好.")
    with OwnerProcess(devices) as owner:
        async with engine(owner) as made:
            again = await spoken(made, "你好.")
    assert [c.samples.tolist() for c in again] == [c.samples.tolist() for c in usual]
