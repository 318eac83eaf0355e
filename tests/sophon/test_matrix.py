"""Every chip, number of cores and form of file, through the running services over gRPC.

``scripts/evaluate_sophon`` makes the report of it; what a test records is a row there.
"""

from __future__ import annotations

import json
import wave
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, closing
from pathlib import Path
from typing import Any

import grpc.aio
import numpy as np
import pytest
from numpy.typing import NDArray

from voicemesh.audio import pcm16
from voicemesh.audio_format import linear16
from voicemesh.v1 import asr_pb2, common_pb2, llm_pb2, tts_pb2
from voicemesh.v1.asr_pb2_grpc import SpeechRecognizerServiceStub
from voicemesh.v1.llm_pb2_grpc import LanguageModelServiceStub
from voicemesh.v1.tts_pb2_grpc import SpeechSynthesizerServiceStub
from voicemesh_asr.engines.sophon_whisper import self_test
from voicemesh_asr.engines.sophon_whisper.decoder import Decoder
from voicemesh_asr.engines.sophon_whisper.graphs import WhisperGraphs
from voicemesh_asr.engines.sophon_whisper.model_files import read_positions
from voicemesh_sophon.client import Chip
from voicemesh_sophon.owner_process import OwnerProcess
from voicemesh_sophon.watch import ChipWatch
from voicemesh_tts.engines.sophon_vits.trimming import trimmed

ChipOwner = Callable[[str], OwnerProcess]
Record = Callable[[str, object], None]
Serving = Callable[..., AbstractAsyncContextManager[str]]

ASSETS = Path(__file__).parent / "assets"
RATE = 16_000
TIMEOUT_S = 200
STAMP = common_pb2.Stamp(epoch=1, turn=1)

pytestmark = pytest.mark.long


class Place:
    """A chip with cores, and the files of a model for it."""

    def __init__(self, chip: str, cores: tuple[int, ...], pattern: str, without: str = " ") -> None:
        self.chip = chip
        self.cores = cores
        self.files = sorted(p for p in ASSETS.glob(pattern) if without not in p.name)
        assert self.files, pattern

    def __str__(self) -> str:
        return f"{self.chip}-{len(self.cores) or 1}-{self.files[0].stem}"

    def record(self, into: Record, engine: str, compared: str) -> None:
        """The row of the report, but for its result."""
        into("engine", engine)
        more = f" and {len(self.files) - 1} more" if len(self.files) > 1 else ""
        into("model", self.files[0].name + more)
        into("chip", self.chip.upper())
        into("cores", len(self.cores) or 1)
        into("compared", compared)

    def settings(self, owner: OwnerProcess, service: str, **engine: object) -> dict[str, object]:
        """``engine`` are settings of the service's engine."""
        return {
            "devices.backend": "cmodel",
            "devices.simulated_chip": self.chip,
            "devices.socket_folder": owner.placement(service).socket.parent,
            f"devices.{service}.cores": json.dumps(self.cores),
            f"{service}.engine": {"asr": "sophon-whisper", "llm": "sophon-llm"}.get(
                service, "sophon-vits"
            ),
        } | engine

    @property
    def listed(self) -> str:
        return json.dumps([str(file) for file in self.files])


# Whisper

WHISPER = [
    Place("bm1688", (0,), "whisper/bm1688/all_quant_*.bmodel", without="2core"),
    Place("bm1688", (0, 1), "whisper/bm1688/all_quant_*_2core.bmodel"),
    Place("bm1688", (0,), "whisper/bm1688/bmwhisper_*.bmodel"),
    Place("bm1684x", (), "whisper/bm1684x/*.bmodel"),
]
TABLES = ASSETS / "whisper" / "tables"
POSITIONS = TABLES / "positional_embedding_nano.npz"


def recording(path: Path) -> bytes:
    with wave.open(str(path)) as file:
        frames: bytes = file.readframes(file.getnframes())
    return frames


@pytest.mark.parametrize("place", WHISPER, ids=str)
async def test_every_recording_gives_its_exact_text(
    chip_owner: ChipOwner, serving: Serving, record_property: Record, place: Place
) -> None:
    wavs = json.loads((ASSETS / "whisper" / "manifest.json").read_text())["wavs"]
    place.record(record_property, "sophon-whisper", f"texts of {len(wavs)} recordings, 5 beams")
    whisper = "asr.sophon_whisper"
    settings = place.settings(chip_owner(place.chip), "asr") | {
        f"{whisper}.model_files": place.listed,
        f"{whisper}.positions_file": POSITIONS,
        f"{whisper}.vocabulary_file": TABLES / "vocab_nano.tiktoken",
        f"{whisper}.beams": 5,
    }
    wrong = []
    async with serving("asr", **settings) as target, grpc.aio.insecure_channel(target) as channel:
        for wav in wavs:
            request = asr_pb2.RecognizeRequest(
                audio_format=linear16(RATE),
                audio=recording(ASSETS / "whisper" / "wavs" / wav["wav"]),
                language_codes=["en", "zh"],
            )
            stub = SpeechRecognizerServiceStub(channel)
            response = await stub.Recognize(request, timeout=TIMEOUT_S)
            text = " ".join(transcript.text for transcript in response.transcripts)
            if text != wav["text"]:
                wrong.append((wav["wav"], text))
    record_property("result", f"{len(wavs) - len(wrong)} of {len(wavs)} exact")
    assert wrong == []


@pytest.mark.parametrize("place", WHISPER, ids=str)
def test_beams_go_on_from_the_rows_that_they_are_told_to(
    chip_owner: ChipOwner, record_property: Record, place: Place
) -> None:
    """The loop graph itself, or the one that reorders, launched with chosen rows."""
    sources = ([4, 4, 0, 2, 1], [0, 0, 0, 0, 0], [1, 2, 3, 4, 0], [0, 1, 2, 3, 4], [3, 3, 3, 1, 1])
    compared = f"caches after {len(sources)} orders of beams, written in place and to a second set"
    place.record(record_property, "sophon-whisper", compared)
    placement = chip_owner(place.chip).placement("asr", cores=place.cores)
    equal = []
    with closing(Chip.open(placement)) as chip:
        decoder = Decoder(chip, WhisperGraphs(chip.load(*place.files)), read_positions(POSITIONS))
        caches = self_test.row_caches(decoder)
        for rows in sources:
            for in_place in (False, True):
                after = decoder.step_caches(caches, np.array(rows, np.int32), in_place)[1:]
                equal += [
                    np.array_equal(new[:, :-1], old[rows][:, 1:])
                    for old, new in zip(caches, after, strict=True)
                ]
    record_property("result", f"{sum(equal)} of {len(equal)} bit-equal")
    assert all(equal)


# The language model

LLM = [
    Place("bm1688", (0, 1), "llm/bm1688/*_2core_static.bmodel"),
    Place("bm1688", (0, 1), "llm/bm1688/*_2core_history.bmodel"),
    Place("bm1688", (0,), "llm/bm1688/*_1core_static_sample.bmodel"),
    Place("bm1684x", (), "llm/bm1684x/*_static.bmodel"),
    Place("bm1684x", (), "llm/bm1684x/*_history.bmodel"),
    Place("bm1684x", (), "llm/bm1684x/*_2024style.bmodel"),
    Place("bm1688", (0, 1), "llm/bm1688/*_2core_kv.bmodel"),
    Place("bm1688", (0,), "llm/bm1688/*_1core_kv32.bmodel"),
    Place("bm1684x", (), "llm/bm1684x/*_kv.bmodel"),
    Place("bm1684x", (), "llm/bm1684x/*_kv32.bmodel"),
]
TALKS = json.loads((ASSETS / "llm" / "expected.json").read_text())
ANSWERS = sum(len(talk["turns"]) for talk in TALKS["conversations"])


def llm_settings(place: Place, owner: OwnerProcess, **engine: object) -> dict[str, object]:
    (model,) = place.files
    values = {"model": model, "tokenizer": ASSETS / "llm" / "config"} | engine
    named = {f"llm.sophon_llm.{name}": value for name, value in values.items()}
    return place.settings(owner, "llm") | {"llm.first_token_timeout_s": 100} | named


async def answer(
    target: str, turns: list[str], conversation: str, **fields: Any
) -> tuple[str, llm_pb2.GenerationFinished]:
    """The reply to ``turns``, which begin and end with the person."""
    roles = (llm_pb2.ROLE_USER, llm_pb2.ROLE_ASSISTANT)
    told = [(llm_pb2.ROLE_SYSTEM, TALKS["system"])]
    told += [(roles[i % 2], text) for i, text in enumerate(turns)]
    messages = [
        llm_pb2.ChatMessage(role=role, parts=[llm_pb2.ContentPart(text=text)])
        for role, text in told
    ]
    generation = llm_pb2.GenerationRequest(
        messages=messages, conversation_id=conversation, **fields
    )
    async with grpc.aio.insecure_channel(target) as channel:
        call: Any = LanguageModelServiceStub(channel).Generate(timeout=TIMEOUT_S)
        await call.write(llm_pb2.GenerateRequest(stamp=STAMP, generation=generation))
        await call.done_writing()
        responses = [response async for response in call]
    return "".join(r.delta.text for r in responses), responses[-1].finished


@pytest.mark.parametrize("place", LLM, ids=str)
async def test_every_question_gets_its_exact_answer(
    chip_owner: ChipOwner, serving: Serving, record_property: Record, place: Place
) -> None:
    place.record(
        record_property,
        "sophon-llm",
        f"{ANSWERS} answers in {len(TALKS['conversations'])} conversations",
    )
    wrong = []
    async with serving("llm", **llm_settings(place, chip_owner(place.chip))) as target:
        for talk in TALKS["conversations"]:
            turns: list[str] = []
            for question, expected in talk["turns"]:
                turns.append(question)
                said, end = await answer(target, turns, talk["name"])
                if (said, end.finish_reason) != (expected, llm_pb2.FINISH_REASON_STOP):
                    wrong.append((question, said))
                turns.append(expected)
    record_property("result", f"{ANSWERS - len(wrong)} of {ANSWERS} exact")
    assert wrong == []


async def launches(owner: OwnerProcess) -> int:
    """How many the language model has made on this chip so far, as its owner counts."""
    watch = ChipWatch(owner.placement("llm"))
    await watch.connect()
    nets = watch.news["services"].get("llm", {"launches": {}})["launches"]
    await watch.close()
    return sum(sum(spread["counts"]) for spread in nets.values())


@pytest.mark.parametrize(
    "place", [p for p in LLM if "history" in str(p) or "_kv" in str(p)], ids=str
)
async def test_a_second_turn_takes_fewer_launches_than_all_of_it_anew(
    chip_owner: ChipOwner, serving: Serving, record_property: Record, place: Place
) -> None:
    place.record(record_property, "sophon-llm", "second turn after the first, and alone")
    (talk,) = (t for t in TALKS["conversations"] if t["name"] == "more3")
    (question, first), (more, second) = talk["turns"]
    owner = chip_owner(place.chip)
    took = []
    for warm in (False, True):
        chosen = {"piece_tokens": 16, "steps_up_to_tokens": 1, "read_ahead": False}
        settings = llm_settings(place, owner, self_test=False, **chosen)
        async with serving("llm", **settings) as target:
            if warm:
                assert (await answer(target, [question], "talk"))[0] == first
            before = await launches(owner)
            said, end = await answer(target, [question, first, more], "talk")
            took.append((await launches(owner) - before, end.usage.cached_tokens))
            assert said == second
    (cold, nothing), (warm_launches, cached) = took
    record_property(
        "result", f"{cached} cached tokens; {warm_launches} launches after it, {cold} alone"
    )
    assert nothing == 0 < cached
    assert warm_launches < cold


# The voice

VITS = [
    Place("bm1688", (0,), "vits/bm1688/*_1core.bmodel", without="bert_f16"),
    Place("bm1688", (1,), "vits/bm1688/*_f16_1core.bmodel"),
    Place("bm1688", (0, 1), "vits/bm1688/*_2core.bmodel"),
    Place("bm1684x", (), "vits/bm1684x/tts_*.bmodel"),
    Place("bm1684x", (), "vits/bm1684x/*f16*.bmodel"),
]
# The reference of one sentence was made without tone sandhi between words.
PLAIN_TONES = "是指使用 shi4 zhi3 shi3 yong4\n"


async def spoken(target: str, text: str) -> NDArray[np.int16]:
    config = tts_pb2.StreamingSynthesisConfig(audio_format=linear16(RATE))
    piece = tts_pb2.SynthesisInput(piece=1, text=text, last=True)
    async with grpc.aio.insecure_channel(target) as channel:
        call: Any = SpeechSynthesizerServiceStub(channel).StreamingSynthesize(timeout=TIMEOUT_S)
        request = tts_pb2.StreamingSynthesizeRequest
        await call.write(request(stamp=STAMP, streaming_config=config))
        await call.write(request(stamp=STAMP, input=piece))
        await call.done_writing()
        got = [response async for response in call]
    parts = [response.audio for response in got if response.HasField("audio")]
    assert (parts[0].span.begin_char, parts[-1].span.end_char) == (0, len(text))
    return pcm16(b"".join(part.chunk.audio for part in parts))


def reference(name: str) -> NDArray[np.float32]:
    """The reference of a sentence, without the silence around it as the engine cuts it."""
    samples = pcm16(recording(ASSETS / "vits" / "expected" / f"{name}.wav"))
    return trimmed(samples.astype(np.float32) / np.float32(32768), RATE, 0.005, 0)


@pytest.mark.parametrize("place", VITS, ids=str)
async def test_every_sentence_sounds_as_its_reference(
    chip_owner: ChipOwner,
    serving: Serving,
    record_property: Record,
    place: Place,
    tmp_path: Path,
) -> None:
    sentences = json.loads((ASSETS / "vits" / "manifest.json").read_text())["sentences"]
    place.record(record_property, "sophon-vits", f"waveforms of {len(sentences)} sentences")
    dictionary = tmp_path / "words.txt"
    dictionary.write_text(PLAIN_TONES)
    vits = {
        "model_files": place.listed,
        "vocabulary_file": ASSETS / "vits" / "vocab.txt",
        "dictionary_file": dictionary,
        "other_languages": False,
        "tail_ms": 0,
    }
    settings = place.settings(chip_owner(place.chip), "tts") | {
        "tts.language": "zh",
        **{f"tts.sophon_vits.{name}": value for name, value in vits.items()},
    }
    found = {}
    async with serving("tts", **settings) as target:
        for name, sentence in sentences.items():
            heard, wanted = await spoken(target, sentence["text"]), reference(name)
            assert len(heard) == len(wanted)
            found[name] = float(np.corrcoef(heard, wanted)[0, 1])
    record_property("result", f"correlation {min(found.values()):.4f} at least")
    assert min(found.values()) >= 0.999, found
