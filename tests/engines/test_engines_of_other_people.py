"""The engines that docs/engines.md shows are installed as distributions and served.

From pip to the sound: what a stranger does who brings an engine, with the page's own text.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator

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

from .documented_distributions import write_distributions

RATE = 16_000
END_OF_TURN = asr_pb2.TURN_EVENT_TYPE_END_OF_TURN
STAMP = common_pb2.Stamp(epoch=1, turn=1)
CHOSEN = {
    "asr.engine": "loudness",
    "asr.loudness.loud_from_dbfs": "-40",
    "asr.turn_language_model": "",
    "llm.engine": "parrot",
    "tts.engine": "beeps",
    "tts.beeps.beep_ms": "100",
}
DEADLINE_S = 30

Speech = Callable[..., NDArray[np.int16]]


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """An environment in which the page's distributions are installed."""
    folder = tmp_path_factory.mktemp("engines")
    distributions = write_distributions(folder)
    assert [path.name for path in distributions] == [
        "voicemesh-beeps",
        "voicemesh-loudness",
        "voicemesh-parrot",
    ]
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", "install"]
    offline = ["--no-index", "--no-build-isolation", "--no-deps", "--no-compile"]
    target = folder / "site-packages"
    subprocess.run([*pip, *offline, "--target", target, *distributions], check=True)
    return os.environ | {"PYTHONPATH": str(target)}


@pytest.fixture(scope="module")
def targets(
    installed: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, str]]:
    """Where asr, llm and tts serve with the page's engines, by name."""
    flags = [part for key, value in CHOSEN.items() for part in ("--set", f"{key}={value}")]
    command = [sys.executable, "-m", "voicemesh", "up", "--ephemeral", "asr", "llm", "tts", *flags]
    mesh = subprocess.Popen(
        command,
        env=installed,
        cwd=tmp_path_factory.mktemp("mesh"),
        stdout=subprocess.PIPE,
        text=True,
    )
    assert mesh.stdout is not None
    found: dict[str, str] = {}
    lines: list[str] = []
    try:
        for line in mesh.stdout:
            lines.append(line)
            if serving := re.match(r"(\w+) serves on (\S+)", line):
                found[serving[1]] = serving[2]
            if line.startswith("ready"):
                break
        assert set(found) == {"asr", "llm", "tts"}, "".join(lines)
        yield found
    finally:
        mesh.terminate()
        with mesh.stdout:
            mesh.stdout.read()  # A full pipe would keep it from ending.
        assert mesh.wait(DEADLINE_S) == 0


async def test_a_recogniser_hears_both_of_its_words(
    targets: dict[str, str], flite_speech: Speech
) -> None:
    speech = flite_speech("what time is it")
    pause = np.zeros(RATE, np.int16)
    recording = np.concatenate([pause, speech, pause, speech // 20, pause])
    request = asr_pb2.RecognizeRequest(
        stamp=STAMP, audio_format=linear16(RATE), audio=recording.astype("<i2").tobytes()
    )
    async with grpc.aio.insecure_channel(targets["asr"]) as channel:
        response = await SpeechRecognizerServiceStub(channel).Recognize(request, timeout=DEADLINE_S)
    assert [transcript.text for transcript in response.transcripts] == ["loud", "quiet"]


async def test_a_recogniser_is_asked_at_each_pause_of_a_stream(
    targets: dict[str, str], flite_speech: Speech
) -> None:
    config = asr_pb2.StreamingRecognitionConfig(audio_format=linear16(RATE))
    samples = np.concatenate([flite_speech("what time is it"), np.zeros(2 * RATE, np.int16)])

    async def requests() -> AsyncIterator[asr_pb2.StreamingRecognizeRequest]:
        yield asr_pb2.StreamingRecognizeRequest(stamp=STAMP, streaming_config=config)
        for first in range(0, len(samples), 1600):
            part = samples[first : first + 1600].astype("<i2").tobytes()
            chunk = common_pb2.AudioChunk(audio=part, first_sample=first)
            yield asr_pb2.StreamingRecognizeRequest(stamp=STAMP, audio=chunk)

    async with grpc.aio.insecure_channel(targets["asr"]) as channel:
        stub = SpeechRecognizerServiceStub(channel)
        call = stub.StreamingRecognize(requests(), timeout=DEADLINE_S)
        responses = [response async for response in call]
    assert responses[0].started.engine == "loudness"
    ends = [r.turn_event for r in responses if r.turn_event.type == END_OF_TURN]
    assert [end.transcript.text for end in ends] == ["loud"]


async def test_a_language_model_answers_word_by_word(targets: dict[str, str]) -> None:
    question = llm_pb2.ChatMessage(
        role=llm_pb2.ROLE_USER, parts=[llm_pb2.ContentPart(text="Pieces of eight!")]
    )
    generation = llm_pb2.GenerationRequest(conversation_id="c", messages=[question])

    async def requests() -> AsyncIterator[llm_pb2.GenerateRequest]:
        yield llm_pb2.GenerateRequest(stamp=STAMP, generation=generation)

    async with grpc.aio.insecure_channel(targets["llm"]) as channel:
        call = LanguageModelServiceStub(channel).Generate(requests(), timeout=DEADLINE_S)
        responses = [response async for response in call]
    assert responses[0].started.engine == "parrot"
    assert "".join(r.delta.text for r in responses) == "You said: Pieces of eight!"
    finished = responses[-1].finished
    assert finished.finish_reason == llm_pb2.FINISH_REASON_STOP
    assert finished.usage.completion_tokens == 5


async def test_a_voice_beeps_once_for_each_word(targets: dict[str, str]) -> None:
    config = tts_pb2.StreamingSynthesisConfig(audio_format=linear16(RATE))
    piece = tts_pb2.SynthesisInput(piece=1, text="One, two, three", last=True)

    async def requests() -> AsyncIterator[tts_pb2.StreamingSynthesizeRequest]:
        yield tts_pb2.StreamingSynthesizeRequest(stamp=STAMP, streaming_config=config)
        yield tts_pb2.StreamingSynthesizeRequest(stamp=STAMP, input=piece)

    async with grpc.aio.insecure_channel(targets["tts"]) as channel:
        stub = SpeechSynthesizerServiceStub(channel)
        call = stub.StreamingSynthesize(requests(), timeout=DEADLINE_S)
        responses = [response async for response in call]
    assert responses[0].started.engine == "beeps"
    heard = pcm16(b"".join(r.audio.chunk.audio for r in responses))
    assert len(heard) == 3 * RATE // 10
    assert responses[-2].audio.span.end_char == len(piece.text)
