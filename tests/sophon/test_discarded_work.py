"""What the chip still does for what nobody wants any more, by the engines' own counters.

Launches are held until the service knows that its work is unwanted, so that one is
always under way then.
"""

from __future__ import annotations

import asyncio
import json
import wave
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import grpc.aio
import numpy as np
import pytest
from prometheus_client import REGISTRY

from voicemesh.audio import Samples
from voicemesh.audio_format import linear16
from voicemesh.v1 import common_pb2, llm_pb2, tts_pb2
from voicemesh.v1.llm_pb2_grpc import LanguageModelServiceStub
from voicemesh.v1.tts_pb2_grpc import SpeechSynthesizerServiceStub
from voicemesh_asr.engines.engine import SessionOptions
from voicemesh_asr.engines.redecoding.session import RedecodingSession
from voicemesh_asr.engines.sophon_whisper.engine import SophonWhisper
from voicemesh_asr.engines.sophon_whisper.settings import SophonWhisperSettings
from voicemesh_sophon.owner_process import OwnerProcess

from .held_chip import HeldChip, named

ChipOwner = Callable[[str], OwnerProcess]
Serving = Callable[..., AbstractAsyncContextManager[str]]
Discard = Callable[[RedecodingSession], Awaitable[None]]

ASSETS = Path(__file__).parent / "assets"
RATE = 16_000
TALKS = json.loads((ASSETS / "llm" / "expected.json").read_text())
CONVERSATIONS = {talk["name"]: talk["turns"] for talk in TALKS["conversations"]}


@pytest.fixture
async def held(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[HeldChip]:
    chip = HeldChip(monkeypatch)
    yield chip
    chip.let_go()


class LateWork:
    """What a counter of late work has counted since it was made."""

    def __init__(self, metric: str, **labels: str) -> None:
        self._metric, self._labels = metric, labels
        self._before = self._counted()

    def _counted(self) -> list[int]:
        bucket = f"voicemesh_{self._metric}_after_cancel_bucket"
        # All of them first: what is counted meanwhile is looked at the next time.
        bounds = [self._labels | {"le": le} for le in ("+Inf", "0.0", "1.0")]
        return [int(REGISTRY.get_sample_value(bucket, bound) or 0) for bound in bounds]

    async def of_one(self) -> str:
        """Wait until what was discarded has ended: how much of it came late."""
        async with asyncio.timeout(60):
            while True:
                all_, none, one = (
                    now - before for now, before in zip(self._counted(), self._before, strict=True)
                )
                if all_:
                    assert all_ == 1
                    return "none" if none else "one" if one else "more"
                await asyncio.sleep(0)


# The language model

MODEL = ASSETS / "llm" / "bm1688" / "tiny-assistant_w4bf16_seq512_2core_history.bmodel"


def request(question: str) -> llm_pb2.GenerateRequest:
    told = ((llm_pb2.ROLE_SYSTEM, TALKS["system"]), (llm_pb2.ROLE_USER, question))
    messages = [
        llm_pb2.ChatMessage(role=role, parts=[llm_pb2.ContentPart(text=text)])
        for role, text in told
    ]
    generation = llm_pb2.GenerationRequest(messages=messages, conversation_id="c")
    return llm_pb2.GenerateRequest(stamp=common_pb2.Stamp(epoch=1, turn=1), generation=generation)


@pytest.fixture
async def language_model(chip_owner: ChipOwner, serving: Serving) -> AsyncIterator[Any]:
    settings = {
        "devices.backend": "cmodel",
        "devices.socket_folder": chip_owner("bm1688").placement("llm").socket.parent,
        "llm.engine": "sophon-llm",
        "llm.first_token_timeout_s": 100,
        "llm.sophon_llm.model": MODEL,
        "llm.sophon_llm.tokenizer": ASSETS / "llm" / "config",
        "llm.sophon_llm.self_test": False,
        "llm.sophon_llm.read_ahead": False,
        "llm.sophon_llm.steps_up_to_tokens": 1,
    }
    async with serving("llm", **settings) as target, grpc.aio.insecure_channel(target) as channel:
        yield LanguageModelServiceStub(channel)


async def said(model: Any, question: str) -> str:
    call = model.Generate()
    await call.write(request(question))
    await call.done_writing()
    return "".join([response.delta.text async for response in call])


@pytest.mark.parametrize("politely", [True, False])
@pytest.mark.parametrize(("net", "let_through"), [("embedding_cache", 4), ("block_1", 0)])
async def test_an_interrupted_reply_ends_with_the_token_under_way(
    held: HeldChip, language_model: Any, politely: bool, net: str, let_through: int
) -> None:
    """Or, where it has not spoken yet, with the layer of the prompt under way."""
    late = LateWork("llm_tokens", engine="sophon-llm")
    held.hold(named(net))
    call = language_model.Generate()
    await call.write(request(CONVERSATIONS["q07"][0][0]))
    await held.let_through(let_through)
    before = await held.next()
    if politely:
        cancel = llm_pb2.CancelGeneration()
        await call.write(llm_pb2.GenerateRequest(stamp=request("").stamp, cancel=cancel))
    else:
        call.cancel()
    await held.unwanted()
    assert await late.of_one() == ("one" if let_through else "none")
    assert held.begun == before
    question, answer = CONVERSATIONS["q03"][0]
    assert await said(language_model, question) == answer


# The voice

LONG = "人工智能可以帮助我们完成很多工作，也能够回答各种各样的问题，它可以打开客厅的灯，" * 6


@asynccontextmanager
async def voice(owner: OwnerProcess, serving: Serving) -> AsyncIterator[Any]:
    """A stream to the synthesiser."""
    folder = ASSETS / "vits"
    files = sorted((folder / "bm1688").glob("*_1core.bmodel"))
    settings = {
        "devices.backend": "cmodel",
        "devices.socket_folder": owner.placement("tts").socket.parent,
        "devices.tts.cores": "[0]",
        "tts.engine": "sophon-vits",
        "tts.language": "zh",
        "tts.sophon_vits.model_files": json.dumps(
            [str(file) for file in files if "bert_f16" not in file.name]
        ),
        "tts.sophon_vits.vocabulary_file": folder / "vocab.txt",
        "tts.sophon_vits.other_languages": False,
    }
    async with serving("tts", **settings) as target, grpc.aio.insecure_channel(target) as channel:
        call: Any = SpeechSynthesizerServiceStub(channel).StreamingSynthesize()
        config = tts_pb2.StreamingSynthesisConfig(audio_format=linear16(RATE))
        await call.write(tts_pb2.StreamingSynthesizeRequest(streaming_config=config))
        yield call
        call.cancel()


def piece(text: str, turn: int) -> tts_pb2.StreamingSynthesizeRequest:
    spoken = tts_pb2.SynthesisInput(piece=1, text=text, last=True)
    return tts_pb2.StreamingSynthesizeRequest(
        stamp=common_pb2.Stamp(epoch=1, turn=turn), input=spoken
    )


@pytest.mark.parametrize(("inputs", "let_through"), [(2, 0), (2, 2), (3, 0)])
async def test_an_interrupted_reply_ends_with_the_chunk_under_way(
    held: HeldChip, chip_owner: ChipOwner, serving: Serving, inputs: int, let_through: int
) -> None:
    """The voice has two inputs; after the prosody, which has three, it is not begun."""
    async with voice(chip_owner("bm1688"), serving) as call:
        late = LateWork("tts_chunks")
        held.hold(lambda launch: len(launch.net.inputs) == inputs)
        await call.write(piece(LONG, turn=1))
        await held.let_through(let_through)
        before = await held.next()
        cancel = tts_pb2.CancelSynthesis()
        stamp = common_pb2.Stamp(epoch=1, turn=2)
        await call.write(tts_pb2.StreamingSynthesizeRequest(stamp=stamp, cancel=cancel))
        await held.unwanted()
        assert await late.of_one() == ("one" if inputs == 2 else "none")
        assert held.begun == before
        await call.write(piece("好。", turn=3))
        while not (response := await call.read()).HasField("piece_finished"):
            assert not response.HasField("error")
        assert response.stamp.turn == 3
        assert response.piece_finished.sample_count > 0.1 * RATE
        assert len(held.begun) == len(before) + 2


# The recogniser


def recording(name: str) -> Samples:
    with wave.open(str(ASSETS / "whisper" / "wavs" / name)) as file:
        return np.frombuffer(file.readframes(file.getnframes()), dtype=np.int16)


@asynccontextmanager
async def whisper(owner: OwnerProcess) -> AsyncIterator[SophonWhisper]:
    folder = ASSETS / "whisper"
    files = [f for f in (folder / "bm1688").glob("all_quant_*") if "2core" not in f.name]
    settings = SophonWhisperSettings(
        model_files=tuple(sorted(files)),
        positions_file=folder / "tables" / "positional_embedding_nano.npz",
        vocabulary_file=folder / "tables" / "vocab_nano.tiktoken",
    )
    engine = SophonWhisper(settings, owner.placement("asr", cores=(0,)))
    try:
        await engine.load()
        yield engine
    finally:
        await engine.close()


@pytest.mark.long
async def test_a_discarded_utterance_ends_with_the_token_under_way(
    held: HeldChip, chip_owner: ChipOwner
) -> None:
    """In the encoder, in the first pass, and between steps."""
    cases: list[tuple[str, int, Discard, str]] = [
        ("encoder", 0, RedecodingSession.reset, "none"),
        ("decoder_main", 0, RedecodingSession.close, "one"),
        ("decoder_loop", 2, RedecodingSession.reset, "one"),
    ]
    async with whisper(chip_owner("bm1688")) as engine:
        for net, let_through, discard, wasted in cases:
            late = LateWork("asr_decode_tokens")
            held.hold(named(net))
            session = await engine.open(SessionOptions("en"))
            await session.accept(recording("00_what_is_artificial_intelligence.wav"))
            await held.let_through(let_through)
            before = await held.next()
            await discard(session)
            await held.unwanted()
            assert await late.of_one() == wasted
            assert held.begun == before
            await session.close()
        session = await engine.open(SessionOptions("en"))
        await session.accept(recording("03_stop.wav"))
        assert (await session.finish()).text == "Stop."
        await session.close()
