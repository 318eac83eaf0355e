"""Whisper on a simulated chip as a speaker meets it: sessions, and the service over gRPC."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import grpc.aio
import numpy as np
import pytest
from prometheus_client import REGISTRY

from voicemesh.audio import Samples
from voicemesh.audio_format import linear16
from voicemesh.errors import Busy, EngineError, Unavailable
from voicemesh.v1 import asr_pb2 as pb
from voicemesh.v1 import common_pb2
from voicemesh_asr.engines.engine import Hypothesis, SessionOptions
from voicemesh_asr.engines.redecoding.session import RedecodingSession
from voicemesh_asr.engines.sophon_whisper.engine import SophonWhisper
from voicemesh_asr.engines.sophon_whisper.settings import SophonWhisperSettings
from voicemesh_sophon.devices import DevicesSettings
from voicemesh_sophon.owner_process import OwnerProcess

ChipOwner = Callable[[str], OwnerProcess]
Serving = Callable[..., AbstractAsyncContextManager[str]]
Recognizer = Callable[[str], AbstractAsyncContextManager[Any]]

RATE = 16_000
QUESTION = "00_what_is_artificial_intelligence.wav"


def tiny_settings(tiny: Any, **changed: object) -> SophonWhisperSettings:
    values = {
        "model_files": tiny.five_files("bm1688"),
        "positions_file": tiny.positions_file,
        "vocabulary_file": tiny.vocabulary_file,
    }
    return SophonWhisperSettings.model_validate(values | changed)


@asynccontextmanager
async def loaded(tiny: Any, owner: OwnerProcess, **changed: object) -> AsyncIterator[SophonWhisper]:
    engine = SophonWhisper(tiny_settings(tiny, **changed), owner.placement("asr", cores=(0,)))
    try:
        await engine.load()
        yield engine
    finally:
        await engine.close()


def jobs(kind: str, outcome: str = "done") -> float:
    """How many decodes there have been in this process."""
    labels = {"kind": kind, "outcome": outcome}
    return REGISTRY.get_sample_value("voicemesh_asr_decodes_total", labels) or 0.0


async def running_text(session: RedecodingSession) -> Hypothesis:
    """What the interim decode under way gives."""
    assert session._job is not None, "there is enough new audio for a decode"
    await asyncio.wait([session._job.result])
    running = await session.accept(np.zeros(0, np.int16))
    assert running is not None
    return running


# Sessions


async def hear_growing(engine: SophonWhisper, tiny: Any, steps: list[Any]) -> RedecodingSession:
    """Hear the question piece by piece, until the end; the interim texts must be right."""
    speech = tiny.samples(QUESTION)
    shown, confirmed = [], []
    session = await engine.open(SessionOptions("en"))
    heard = 0
    for step in steps:
        until = round(step["seconds"] * RATE)
        assert await session.accept(speech[heard:until]) is None
        heard = until
        running = await running_text(session)
        shown.append(running.text)
        confirmed.append(running.text[: round(running.stability * len(running.text))])
    assert shown == [step["text_stamps"] for step in steps]
    assert confirmed[-3:] == ["", "What is", "What is artificial"]
    await session.accept(speech[heard:])
    return session


async def test_growing_audio_confirms_what_two_texts_agree_on(
    chip_owner: ChipOwner, tiny_whisper: Any
) -> None:
    growing = tiny_whisper.manifest["streaming"]["partials"][QUESTION][1:4]
    async with loaded(tiny_whisper, chip_owner("bm1688"), interim_every_ms=400) as engine:
        session = await hear_growing(engine, tiny_whisper, growing)
        before = jobs("final")
        final = await session.finish()
        assert final.text == tiny_whisper.text(QUESTION)
        assert final.confidence == pytest.approx(np.exp(-0.4727), abs=0.01)
        assert await session.finish() is final, "nothing came after it"
        assert jobs("final") == before + 1
        await session.resume()
        await session.accept(np.zeros(RATE // 10, np.int16))
        assert (await session.finish()).text == tiny_whisper.text(QUESTION)
        assert jobs("final") == before + 2
        await session.reset()
        assert (await session.finish()).text == ""
        await session.close()


@pytest.mark.long
async def test_interim_texts_may_come_from_a_set_of_their_own(
    chip_owner: ChipOwner, tiny_whisper: Any
) -> None:
    six = tiny_whisper.one_file("bm1688", 6)
    growing = tiny_whisper.manifest["streaming"]["partials"][QUESTION][:4]
    async with loaded(
        tiny_whisper, chip_owner("bm1688"), interim_every_ms=400, interim_model_files=six
    ) as engine:
        session = await hear_growing(engine, tiny_whisper, growing)
        assert (await session.finish()).text == tiny_whisper.text(QUESTION)
        await session.close()


@pytest.mark.long
async def test_a_long_utterance_is_cut_behind_confirmed_segments(
    chip_owner: ChipOwner, tiny_whisper: Any
) -> None:
    """The buffer never outgrows the window, and nothing is lost or said twice."""
    name = "long_4_sentences.wav"
    speech = tiny_whisper.samples(name)
    async with loaded(tiny_whisper, chip_owner("bm1688"), previous_tokens=0) as engine:
        session = await engine.open(SessionOptions("en"))
        confirmed = ""
        for begin in range(0, len(speech), 12_800):
            await session.accept(speech[begin : begin + 12_800])
            running = await running_text(session)
            newest = running.text[: round(running.stability * len(running.text))]
            assert newest.startswith(confirmed)
            confirmed = newest
            if begin + 12_800 >= len(speech) - 12_800:
                break
        assert session._buffer.begin > 0, "something was cut off"
        assert len(session._buffer) < engine._final.window
        await session.accept(speech[begin + 12_800 :])
        before = jobs("final")
        assert (await session.finish()).text == tiny_whisper.text(name)
        assert jobs("final") == before + 1
        await session.close()


@pytest.mark.long
async def test_speakers_beyond_the_places_are_refused(
    chip_owner: ChipOwner, tiny_whisper: Any
) -> None:
    async with loaded(tiny_whisper, chip_owner("bm1688"), workers=1) as engine:
        session = await engine.open(SessionOptions("en"))
        with pytest.raises(Busy, match="asr.sophon_whisper.workers"):
            await engine.open(SessionOptions("en"))
        await session.close()
        await session.close()
        await (await engine.open(SessionOptions("en"))).close()


@pytest.mark.parametrize(
    ("changed", "wrong"),
    [
        ({"beams": 6}, "6 beams are more than the 5"),
        ({"initial_prompt": "turn on " * 20}, "31 is all that a set with a pad of 64"),
        ({"languages": ["en", "yue"]}, "does not know yue"),
    ],
)
async def test_settings_that_the_model_cannot_keep_are_told_at_load(
    chip_owner: ChipOwner, tiny_whisper: Any, changed: dict[str, object], wrong: str
) -> None:
    with pytest.raises(Exception, match=wrong):
        async with loaded(tiny_whisper, chip_owner("bm1688"), **changed):
            pass


async def test_files_of_another_chip_and_cut_files_are_told_by_name(
    chip_owner: ChipOwner, tiny_whisper: Any, tmp_path: Path
) -> None:
    files = tiny_whisper.five_files("bm1688")
    cut = tmp_path / files[0].name
    cut.write_bytes(files[0].read_bytes()[:200_000])
    for wrong in (tiny_whisper.one_file("bm1684x", 5), (cut, *files[1:])):
        with pytest.raises(EngineError) as told:
            async with loaded(tiny_whisper, chip_owner("bm1688"), model_files=wrong):
                pass
        assert wrong[0].name in str(told.value)


@pytest.mark.long
async def test_a_lost_chip_fails_the_utterance_and_another_engine_works(
    chip_owner: ChipOwner, tiny_whisper: Any, tmp_path: Path
) -> None:
    devices = DevicesSettings(backend="cmodel", socket_folder=tmp_path)
    name = "03_stop.wav"
    with OwnerProcess(devices) as owner:
        async with loaded(tiny_whisper, owner) as engine:
            session = await engine.open(SessionOptions("en"))
            await session.accept(tiny_whisper.samples(name)[:4000])
            owner.kill()
            with pytest.raises(Unavailable):
                await session.finish()
            await session.close()
    async with loaded(tiny_whisper, chip_owner("bm1688")) as engine:
        session = await engine.open(SessionOptions("en"))
        await session.accept(tiny_whisper.samples(name))
        assert (await session.finish()).text == "Stop."
        await session.close()


# The service


@asynccontextmanager
async def serving_whisper(
    serving: Serving, owner: OwnerProcess, tiny: Any, **flags: object
) -> AsyncIterator[str]:
    whisper = "asr.sophon_whisper"
    settings = {
        "devices.backend": "cmodel",
        "devices.socket_folder": owner.placement("asr").socket.parent,
        "asr.engine": "sophon-whisper",
        f"{whisper}.model_files": json.dumps([str(f) for f in tiny.five_files("bm1688")]),
        f"{whisper}.positions_file": tiny.positions_file,
        f"{whisper}.vocabulary_file": tiny.vocabulary_file,
    }
    async with serving("asr", **settings, **flags) as target:
        yield target


class Speaker:
    """A client's side of one stream."""

    def __init__(self, stub: Any, **config: Any) -> None:
        self.config = pb.StreamingRecognitionConfig(audio_format=linear16(RATE), **config)
        self.call = stub.StreamingRecognize()
        self.next = 0

    async def send(self, **request: Any) -> None:
        stamp = common_pb2.Stamp(epoch=1, turn=1)
        await self.call.write(pb.StreamingRecognizeRequest(stamp=stamp, **request))

    async def start(self) -> pb.RecognitionStarted:
        await self.send(streaming_config=self.config)
        response: pb.StreamingRecognizeResponse = await self.call.read()
        return response.started

    async def say(self, samples: Samples, chunk: int = 1600) -> None:
        for begin in range(0, len(samples), chunk):
            part = samples[begin : begin + chunk]
            audio = common_pb2.AudioChunk(audio=part.tobytes(), first_sample=self.next)
            await self.send(audio=audio)
            self.next += len(part)

    async def until_end(self) -> list[pb.TurnEvent]:
        events: list[pb.TurnEvent] = []
        async with asyncio.timeout(120):
            while not events or events[-1].type != pb.TURN_EVENT_TYPE_END_OF_TURN:
                response = await self.call.read()
                assert response is not grpc.aio.EOF, "the stream ended"
                if response.HasField("turn_event"):  # Signs of life come while it works.
                    events.append(response.turn_event)
        return events


def in_quiet(speech: Samples, tail_s: float = 1.0) -> Samples:
    """The recording and a pause behind it, as a microphone hears them."""
    quiet = np.random.default_rng(1).normal(0, 3, int(tail_s * RATE)).astype(np.int16)
    return np.concatenate([speech, quiet])


async def test_speech_over_grpc_gives_its_exact_text(
    serving: Serving, recognizer: Recognizer, chip_owner: ChipOwner, tiny_whisper: Any
) -> None:
    """An eager end with the final text, the same text at the end, decoded once."""
    owner = chip_owner("bm1688")
    async with (
        serving_whisper(serving, owner, tiny_whisper) as target,
        recognizer(target) as stub,
    ):
        speaker = Speaker(stub, language_codes=["en-US", "zh-CN"])
        started = await speaker.start()
        assert started.engine == "sophon-whisper"
        assert started.capabilities.punctuation
        for name, language in ((QUESTION, "en-US"), ("14_zh.wav", "zh-CN")):
            before = jobs("final"), jobs("interim")
            await speaker.say(in_quiet(tiny_whisper.samples(name)))
            events = await speaker.until_end()
            kinds = [event.type for event in events]
            assert kinds == [
                pb.TURN_EVENT_TYPE_START_OF_TURN,
                pb.TURN_EVENT_TYPE_EAGER_END_OF_TURN,
                pb.TURN_EVENT_TYPE_END_OF_TURN,
            ]
            for event in events[1:]:
                assert event.transcript.text == tiny_whisper.text(name)
                assert event.transcript.language_code == language
            assert (jobs("final"), jobs("interim")) == (before[0] + 1, before[1])

        # A client that goes away in the middle of a word leaves the chip to the next one.
        gone = Speaker(stub, interim_results=True)
        await gone.start()
        await gone.say(tiny_whisper.samples(QUESTION)[:RATE])
        gone.call.cancel()
        other = Speaker(stub, interim_results=True)
        await other.start()
        await other.say(in_quiet(tiny_whisper.samples("03_stop.wav")))
        events = await other.until_end()
        assert events[-1].transcript.text == "Stop."
        assert events[-1].transcript.is_final


@pytest.mark.long
async def test_a_recording_is_recognised_sentence_by_sentence(
    serving: Serving, recognizer: Recognizer, chip_owner: ChipOwner, tiny_whisper: Any
) -> None:
    name = "long_4_sentences.wav"
    async with (
        serving_whisper(serving, chip_owner("bm1688"), tiny_whisper) as target,
        recognizer(target) as stub,
    ):
        response = await stub.Recognize(
            pb.RecognizeRequest(
                audio_format=linear16(RATE),
                audio=tiny_whisper.samples(name).tobytes(),
                language_codes=["en"],
            )
        )
        assert " ".join(t.text for t in response.transcripts) == tiny_whisper.text(name)
