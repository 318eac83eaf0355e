"""Moonshine with its real model and synthetic speech."""

import asyncio
import struct
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from voicemesh.audio import Samples
from voicemesh.errors import Busy, EngineError, EngineMissing
from voicemesh.models.store import ModelStore
from voicemesh.settings import load
from voicemesh.work_counter import WorkCounter
from voicemesh_asr.engines.engine import Hypothesis, Phrase, SessionOptions
from voicemesh_asr.engines.moonshine.engine import Moonshine
from voicemesh_asr.engines.moonshine.network import Decoded, MoonshineNetwork
from voicemesh_asr.engines.moonshine.revision import Piece
from voicemesh_asr.engines.moonshine.settings import MODEL, MoonshineSettings
from voicemesh_asr.engines.moonshine.spec import SPEC
from voicemesh_asr.engines.moonshine.tokenizer import Tokenizer
from voicemesh_asr.engines.moonshine.transcriber import LONGEST_PIECE, MoonshineTranscriber
from voicemesh_asr.engines.redecoding.jobs import CancelledDecode
from voicemesh_asr.engines.redecoding.local_agreement import normal
from voicemesh_asr.engines.redecoding.session import RedecodingSession
from voicemesh_asr.engines.redecoding.transcription import Request

from .speaker import END, Speaker, room, utterance

Speech = Callable[..., Samples]
Serving = Callable[..., AbstractAsyncContextManager[str]]

RATE = 16_000
QUESTION = "what is artificial intelligence"


@pytest.fixture(scope="module")
def network(models: ModelStore) -> MoonshineNetwork:
    return MoonshineNetwork.load(models.find(MODEL))


@pytest.fixture
async def engine(models: ModelStore) -> AsyncIterator[Moonshine]:
    # However busy the machine is, the next interim decode is soon due.
    config = MoonshineSettings(workers=2, interim_every_ms=300, interim_share=1)
    engine = Moonshine(config, models.find(MODEL))
    await engine.load()
    yield engine
    await engine.close()


def words(text: str) -> str:
    """A text without case and marks."""
    return " ".join(map(normal, text.split()))


def request(samples: Samples, **fields: Any) -> Request:
    return Request(samples, utterance=0, begin=0, languages=("en",), **fields)


# The network


def test_a_question_is_written_with_case_and_marks(
    network: MoonshineNetwork, flite_speech: Speech
) -> None:
    decoded = network.decode(network.encode(room(flite_speech(QUESTION))))
    assert network.text(decoded) == "What is artificial intelligence?"
    assert decoded.finished
    assert len(decoded.log_probabilities) == len(decoded.tokens) + 1
    assert -0.3 < decoded.average < 0


@pytest.mark.parametrize("draft", ["What is artificial", "What was it?", QUESTION.upper() * 9])
def test_a_draft_changes_how_the_text_comes_and_not_the_text(
    network: MoonshineNetwork, flite_speech: Speech, draft: str
) -> None:
    encoded = network.encode(room(flite_speech(QUESTION)))
    written = network.decode(encoded)
    counted = WorkCounter()
    drafted = network.decode(encoded, network.tokenizer.encode(draft), counted)
    assert drafted.tokens == written.tokens
    assert drafted.average == pytest.approx(written.average, abs=0.1)
    if draft.startswith("What is"):
        assert counted.made < len(written.tokens)


def test_what_was_said_is_likelier_than_what_was_not(
    network: MoonshineNetwork, flite_speech: Speech
) -> None:
    encoded = network.encode(room(flite_speech("turn on the light")))
    texts = ["Turn on the light.", "Turn off the light.", "Good morning."]
    scored = network.score(encoded, [network.tokenizer.encode(text) for text in texts])
    sums = [float(each.log_probabilities.sum()) for each in scored]
    assert sums == sorted(sums, reverse=True)
    assert [network.text(each) for each in scored] == texts
    alone = network.score(encoded, [network.tokenizer.encode(texts[2])])[0]
    assert float(alone.log_probabilities.sum()) == pytest.approx(sums[2], rel=0.05)


def test_a_text_has_no_more_tokens_than_speech_can_have(network: MoonshineNetwork) -> None:
    noise = np.random.default_rng(3).normal(0, 3000, RATE).astype(np.int16)
    assert len(network.decode(network.encode(noise)).tokens) <= 6.5 * 1.55 + 4
    assert network.encode(noise[:10]).hidden.shape[1] > 0, "less than the filters need"


def test_a_decode_that_nobody_wants_ends(network: MoonshineNetwork, flite_speech: Speech) -> None:
    counter = WorkCounter()
    counter.cancel()
    with pytest.raises(CancelledDecode):
        network.encode(flite_speech(QUESTION), counter)
    assert counter.made == 0


def test_tokens_and_texts_go_into_each_other(network: MoonshineNetwork) -> None:
    tokenizer = network.tokenizer
    for text in ("What's the time?", "Zürich 你好 🙂", "a  b", "twenty-one"):
        assert tokenizer.decode(tokenizer.encode(text)) == f" {text}"


def test_files_that_are_missing_or_cut_off_are_told_by_name(
    models: ModelStore, tmp_path: Path
) -> None:
    with pytest.raises(
        EngineMissing, match=r"encoder_model\.ort.*asr\.moonshine\.model.*models pull"
    ):
        SPEC.make(MoonshineSettings(model=tmp_path), settings=load(environ={}, only=("mesh",)))
    for file in models.find(MODEL).iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes()[:5000])
    with pytest.raises(EngineError, match=f"{tmp_path}.*pull it again"):
        MoonshineNetwork.load(tmp_path)
    (tmp_path / "tokenizer.bin").write_bytes(struct.pack("BB", 40, 65))
    with pytest.raises(EngineError, match="cut off"):
        Tokenizer.read(tmp_path / "tokenizer.bin")


# Pieces and revisions


def test_long_speech_is_cut_between_words_and_complete_pieces_are_heard_once(
    network: MoonshineNetwork, flite_speech: Speech
) -> None:
    quiet = np.zeros(RATE // 2, np.int16)
    lines = ("what is the weather like in london", "turn on the light in the kitchen", QUESTION)
    speech = room(
        np.concatenate([part for line in lines * 2 for part in (flite_speech(line), quiet)])
    )
    assert LONGEST_PIECE < len(speech) < 2 * LONGEST_PIECE
    transcriber = MoonshineTranscriber(network)
    first = transcriber.transcribe(request(speech), False, WorkCounter())
    assert len(first.pieces) == 2
    cut = first.pieces[0].end
    assert np.abs(speech[cut - RATE // 20 : cut + RATE // 20]).max() < 100
    assert words("".join(s.text for s in first.segments)) == " ".join(lines * 2)
    longer = np.concatenate([speech, room(flite_speech("stop"))])
    second = transcriber.transcribe(request(longer, newest=first), True, WorkCounter())
    assert second.pieces[0] is first.pieces[0]
    assert words(second.segments[-1].text).endswith("stop")


def test_others_may_change_a_text_and_know_what_it_is_of(
    network: MoonshineNetwork, flite_speech: Speech
) -> None:
    seen: list[Piece] = []

    class Nothing:
        def revise(self, network: MoonshineNetwork, piece: Piece, decoded: Decoded) -> Decoded:
            seen.append(piece)
            return Decoded((), np.zeros(0, np.float32))

    speech, hints = room(flite_speech("stop")), (Phrase("stop"),)
    heard = MoonshineTranscriber(network, [Nothing()]).transcribe(
        request(speech, phrases=hints), True, WorkCounter()
    )
    assert (heard.segments[0].text, heard.confidence) == ("", 0.0)
    (piece,) = seen
    assert (piece.phrases, piece.is_final, piece.is_whole) == (hints, True, True)
    assert len(piece.samples) == len(speech)


# The engine and the service


async def running(session: RedecodingSession) -> Hypothesis | None:
    """What the interim decode under way gives."""
    assert session._job is not None, "there is enough new audio for a decode"
    await asyncio.wait([session._job.result])
    return await session.accept(np.zeros(0, np.int16))


async def test_running_text_grows_and_the_final_text_comes_once(
    engine: Moonshine, flite_speech: Speech
) -> None:
    session = await engine.open(SessionOptions("en-GB"))
    speech = utterance(flite_speech(QUESTION), lead_s=0.25, tail_s=0.2)
    shown = []
    for begin in range(0, len(speech), RATE // 2):
        await session.accept(speech[begin : begin + RATE // 2])
        if session._job is not None and (text := await running(session)) is not None:
            shown.append(text)
    assert len(shown) >= 2
    assert words(shown[-2].text).startswith("what is")
    assert shown[-1].stability > 0
    final = await session.finish()
    assert final.text == "What is artificial intelligence?"
    assert final.language_code == "en-GB"
    assert final.confidence > 0.8
    assert not final.stops_tell
    assert await session.finish() is final
    await session.resume()
    await session.accept(room(flite_speech("please")))
    assert words((await session.finish()).text) == f"{QUESTION} please"
    await session.reset()
    assert (await session.finish()).text == ""
    await session.close()


async def test_speakers_beyond_the_places_are_refused(engine: Moonshine) -> None:
    first, _ = await engine.open(SessionOptions("en")), await engine.open(SessionOptions("en"))
    with pytest.raises(Busy, match=r"asr\.moonshine\.workers"):
        await engine.open(SessionOptions("en"))
    await first.close()
    await (await engine.open(SessionOptions("en"))).close()


async def test_the_service_hears_by_it_unless_settings_say_otherwise(
    serving: Serving, recognizer: Any, models: ModelStore, flite_speech: Speech
) -> None:
    async with (
        serving("asr", **{"mesh.models_folder": models.folder}) as target,
        recognizer(target) as stub,
    ):
        speaker = Speaker(stub, interim_results=True)
        started = await speaker.start()
        assert started.engine == "moonshine"
        assert started.capabilities.punctuation
        assert started.capabilities.phrase_hints
        await speaker.audio(utterance(flite_speech(QUESTION)))
        end = (await speaker.until_end())[-1]
        assert end.type == END
        assert end.transcript.text == "What is artificial intelligence?"
