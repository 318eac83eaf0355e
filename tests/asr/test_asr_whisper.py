"""Whisper with its real model and synthetic speech, English and Mandarin."""

import wave
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from voicemesh.audio import Samples
from voicemesh.errors import EngineMissing, SettingsError
from voicemesh.models.store import ModelStore
from voicemesh.settings import load
from voicemesh.work_counter import WorkCounter
from voicemesh_asr.engines.engine import SessionOptions
from voicemesh_asr.engines.redecoding.pieces import HeardPiece, PieceTranscription
from voicemesh_asr.engines.redecoding.transcription import Request
from voicemesh_asr.engines.whisper.engine import WhisperEngine
from voicemesh_asr.engines.whisper.fallback import Fallback
from voicemesh_asr.engines.whisper.network import Decoded, WhisperNetwork
from voicemesh_asr.engines.whisper.no_speech import NoSpeech
from voicemesh_asr.engines.whisper.settings import MODEL, WhisperSettings
from voicemesh_asr.engines.whisper.simplified import Simplifier
from voicemesh_asr.engines.whisper.spec import SPEC
from voicemesh_asr.engines.whisper.transcriber import WhisperTranscriber

from .speaker import Speaker, room, utterance

Speech = Callable[..., Samples]
Serving = Callable[..., AbstractAsyncContextManager[str]]

RATE = 16_000
SAMPLES = Path(__file__).parents[2] / "samples"


@pytest.fixture(scope="module")
def network(models: ModelStore) -> WhisperNetwork:
    return WhisperNetwork.load(
        models.find(MODEL), threads=1, decodes_at_once=1, shortest_window_s=10
    )


@pytest.fixture
async def engine(models: ModelStore) -> AsyncIterator[WhisperEngine]:
    engine = WhisperEngine(WhisperSettings(), models.find(MODEL), ("en", "zh"))
    await engine.load()
    yield engine
    await engine.close()


async def test_a_turn_is_heard_in_the_language_that_it_sounds_like(
    engine: WhisperEngine, flite_speech: Speech
) -> None:
    english = flite_speech("what is artificial intelligence")
    with wave.open(str(SAMPLES / "question_zh.wav")) as file:
        mandarin = np.frombuffer(file.readframes(file.getnframes()), dtype=np.int16)
    session = await engine.open(SessionOptions("zh-CN", languages=("zh-CN", "en-US")))
    for speech, text, tag in (
        (utterance(english, 0.25, 0.2), "What is artificial intelligence?", "en-US"),
        (mandarin, "什么是机器人?", "zh-CN"),
    ):
        await session.accept(speech)
        heard = await session.finish()
        assert (heard.text, heard.language_code) == (text, tag)
        assert heard.confidence > 0.5
        await session.reset()
    await session.close()
    alone = await engine.open(SessionOptions("en", languages=("en",)))
    await alone.accept(mandarin)
    assert (await alone.finish()).language_code == "en"
    await alone.close()


async def test_who_names_no_language_is_heard_in_all_that_are_spoken_here(
    serving: Serving, recognizer: Any, models: ModelStore, flite_speech: Speech
) -> None:
    languages = {"mesh.languages": '["zh", "en"]'}
    async with (
        serving("asr", **languages, **{"mesh.models_folder": models.folder}) as target,
        recognizer(target) as stub,
    ):
        speaker = Speaker(stub)
        assert (await speaker.start()).language_code == "zh"
        await speaker.audio(utterance(flite_speech("what is artificial intelligence")))
        transcript = (await speaker.until_end())[-1].transcript
        assert transcript.text == "What is artificial intelligence?"
        assert transcript.language_code == "en"


def test_long_speech_stays_in_the_language_of_its_beginning(
    network: WhisperNetwork, flite_speech: Speech
) -> None:
    question = room(flite_speech("what is artificial intelligence"))
    english = np.resize(question, 16 * RATE)
    with wave.open(str(SAMPLES / "question_zh.wav")) as file:
        mandarin = np.frombuffer(file.readframes(file.getnframes()), dtype=np.int16)
    transcriber = WhisperTranscriber(network, WhisperSettings(), None)

    def hear(samples: Samples, newest: Any = None) -> PieceTranscription[HeardPiece]:
        request = Request(samples, 0, 0, languages=("zh", "en"), newest=newest)
        return transcriber.transcribe(request, False, WorkCounter())

    first = hear(english)
    assert (len(first.pieces), first.language) == (2, "en")
    mixed = np.concatenate([english[: first.pieces[0].end], mandarin])
    alone, after = hear(mandarin), hear(mixed, first)
    assert (alone.language, after.language) == ("zh", "en")


@pytest.mark.parametrize("level", [0, 3, 300])
def test_of_silence_and_noise_nothing_is_made(network: WhisperNetwork, level: int) -> None:
    transcriber = WhisperTranscriber(network, WhisperSettings(), None)
    noise = np.random.default_rng(0).normal(0, level, RATE).astype(np.int16)
    request = Request(noise, utterance=0, begin=0, languages=("en",))
    heard = transcriber.transcribe(request, True, WorkCounter())
    assert "".join(segment.text for segment in heard.segments) == ""
    assert heard.confidence == 0


def test_a_text_that_goes_in_circles_is_tried_again_and_then_dropped() -> None:
    guard = Fallback(2.4, -1.0, 0.6, -0.3)
    circles = Decoded("ha " * 40, average=-0.1, tokens=40, no_speech=0.1)
    clear = Decoded("What is that?", average=-0.1, tokens=5, no_speech=0.1)
    tried: list[float] = []

    def decode(temperature: float) -> Decoded:
        tried.append(temperature)
        return circles if temperature == 0 else clear

    assert guard.repeats(circles)
    assert guard.first_good((0.0, 0.4), decode) is clear
    assert tried == [0.0, 0.4]


def test_a_likely_text_counts_although_silence_is_likely() -> None:
    strict, own = Fallback(2.4, -1.0, 0.6, -0.3), Fallback()
    you = Decoded("you", average=-0.7, tokens=2, no_speech=0.9)
    sure = Decoded("Stop.", average=-0.1, tokens=3, no_speech=0.7)
    assert (strict.is_silence(you), own.is_silence(you)) == (True, False)
    assert not strict.is_silence(sure)


def test_chinese_is_written_in_simplified_characters() -> None:
    assert Simplifier().simplified("他們的電腦，OK？") == "他们的电脑，OK？"


def test_short_speech_has_a_short_window(network: WhisperNetwork, flite_speech: Speech) -> None:
    states = network.encode(room(flite_speech("stop")))
    assert list(states.shape) == [1, 500, 512]
    assert list(network.encode(np.zeros(40 * RATE, np.int16)).shape) == [1, 1500, 512]


@pytest.mark.parametrize(
    ("languages", "difference", "told"),
    [(("en", "zh"), 0.34, True), (("zh",), 0.34, False), (("en",), 0.0, False)],
)
def test_it_tells_whether_phrases_are_heard_better(
    models: ModelStore, languages: tuple[str, ...], difference: float, told: bool
) -> None:
    config = WhisperSettings(phrase_difference=difference)
    engine = WhisperEngine(config, models.find(MODEL), languages)
    assert engine.capabilities.phrase_hints is told


def test_of_a_prompt_that_is_too_long_the_end_counts(
    network: WhisperNetwork, flite_speech: Speech
) -> None:
    states = network.encode(room(flite_speech("what is artificial intelligence")))
    rare = "鑫矗龘靐" * 75  # More tokens than the network has places.
    heard = network.decode(states, "en", 15, prompt=f"{rare} Hello. How are you?")
    assert "intelligence" in heard.text


async def test_what_the_model_does_not_have_is_told(models: ModelStore, tmp_path: Path) -> None:
    (tmp_path / "model.bin").touch()
    settings = load(environ={}, only=("mesh",))
    with pytest.raises(
        EngineMissing, match=r"config\.json is missing; correct asr\.whisper\.model"
    ):
        SPEC.make(WhisperSettings(model=tmp_path), settings=settings)
    engine = WhisperEngine(WhisperSettings(), models.find(MODEL), ("en", "yue"))
    with pytest.raises(SettingsError, match="does not know yue") as told:
        await engine.load()
    assert told.value.field == "mesh.languages"
    await engine.close()


@pytest.mark.parametrize(
    ("text", "average", "is_final", "invented"),
    [
        ("Where are you going?", -0.9, True, False),
        ("Where are you going?", -1.3, True, True),  # It was not understood.
        ("Where are you going? I am here now.", -1.1, True, True),  # No voice for it.
        ("Where are you going? I am here now.", -0.5, True, False),  # It is sure.
        ("Well", -0.5, True, True),  # Nobody says it for so long.
        ("Well", -0.5, False, False),
        ("你要去哪里?", -0.9, True, False),
        ("你要去哪里?我今天要一直待在家里。", -0.9, True, True),
        ("哈哈哈!", -0.1, True, True),
    ],
)
def test_what_nobody_can_have_said_is_no_text(
    flite_speech: Speech, text: str, average: float, is_final: bool, invented: bool
) -> None:
    speech = room(flite_speech("where are you going"))
    assert NoSpeech().invented(text, average, speech, is_final) == invented


class Doubtful(WhisperNetwork):
    """A network that writes one text, whatever it hears, and doubts it."""

    def __init__(self, text: str) -> None:
        self.text = text

    def encode(self, samples: Samples) -> None:
        return None

    def decode(self, *_: object, **__: object) -> Decoded:
        return Decoded(self.text, average=-1.0, tokens=9, no_speech=0.1)


@pytest.mark.parametrize("is_final", [False, True])
def test_what_was_invented_is_not_shown(flite_speech: Speech, is_final: bool) -> None:
    speech = room(flite_speech("where are you going"))
    for samples, text in ((speech, "Where are you going?"), (room([0] * len(speech)), "")):
        transcriber = WhisperTranscriber(Doubtful("Where are you going?"), WhisperSettings(), None)
        request = Request(samples, 0, 0, ("en",))
        heard = transcriber.transcribe(request, is_final, WorkCounter())
        assert heard.segments[0].text.strip() == text
