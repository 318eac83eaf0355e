"""The simulated recogniser: alone, and behind the service's turn detection."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from voicemesh.audio import Samples
from voicemesh.audio_format import linear16
from voicemesh.errors import Busy
from voicemesh.grpc_client import Duplex, open_channel
from voicemesh.v1 import asr_pb2 as pb
from voicemesh.v1 import common_pb2
from voicemesh.v1.asr_pb2_grpc import SpeechRecognizerServiceStub
from voicemesh_asr.engines.engine import SessionOptions
from voicemesh_asr.engines.simulated.engine import SimulatedRecognizer, SimulatedSession
from voicemesh_asr.engines.simulated.settings import SimulatedSettings

from .speaker import Speaker, utterance

RATE = 16_000
SECOND: Samples = np.ones(RATE, dtype=np.int16)

Speech = Callable[..., NDArray[np.int16]]
Serving = Callable[..., AbstractAsyncContextManager[str]]


async def session(**settings: Any) -> SimulatedSession:
    return await SimulatedRecognizer(SimulatedSettings(**settings)).open(SessionOptions("en"))


async def test_each_utterance_says_the_next_text() -> None:
    speaker = await session(texts=("one", "two"))
    heard = []
    for _ in range(3):
        await speaker.accept(SECOND)
        heard.append((await speaker.finish()).text)
        await speaker.reset()
    assert heard == ["one", "two", "one"]


async def test_a_forgotten_sound_uses_no_text_up() -> None:
    speaker = await session(texts=("one", "two"))
    await speaker.reset()
    await speaker.accept(SECOND)
    assert (await speaker.finish()).text == "one"


async def test_running_text_comes_at_its_pace_and_grows() -> None:
    speaker = await session(texts=("what is the time 现在几点",), interim_every_ms=500)
    running = [await speaker.accept(SECOND[: RATE // 4]) for _ in range(20)]
    texts = [hypothesis.text for hypothesis in running if hypothesis is not None]
    assert len(texts) == 10
    assert texts == sorted(texts, key=len)
    assert texts[0] == "what"
    assert texts[-1] == "what is the time 现在几点"


async def test_finals_alone_are_reported_by_default() -> None:
    speaker = await session()
    assert [await speaker.accept(SECOND) for _ in range(5)] == [None] * 5


async def test_one_speaker_too_many_is_refused_until_one_leaves() -> None:
    engine = SimulatedRecognizer(SimulatedSettings(workers=1))
    first = await engine.open(SessionOptions("en"))
    with pytest.raises(Busy, match="asr.simulated.workers"):
        await engine.open(SessionOptions("en"))
    await first.close()
    await first.close()
    await engine.open(SessionOptions("en"))


@pytest.mark.parametrize("trim", [True, False])
async def test_a_spoken_question_becomes_one_turn_with_the_text(
    serving: Serving, flite_speech: Speech, trim: bool
) -> None:
    noise = np.random.default_rng(1).integers(-2, 3, RATE, dtype=np.int16)
    clip = np.concatenate([noise, flite_speech("what is artificial intelligence"), noise])
    settings = {
        "asr.engine": "simulated",
        "asr.vad": "webrtc",
        "asr.webrtc.aggressiveness": 2,
        "asr.min_speech_ms": 200,
        "asr.trim_hangover": trim,
    }
    async with serving("asr", **settings) as target:
        channel = open_channel(target)
        call = SpeechRecognizerServiceStub(channel).StreamingRecognize()
        stream: Duplex[Any, Any] = Duplex(call, common_pb2.STAGE_ASR)
        config = pb.StreamingRecognitionConfig(audio_format=linear16(RATE), interim_results=True)
        await stream.write(pb.StreamingRecognizeRequest(streaming_config=config))
        for first in range(0, len(clip), 320):
            audio = clip[first : first + 320].tobytes()
            chunk = common_pb2.AudioChunk(audio=audio, first_sample=first)
            await stream.write(pb.StreamingRecognizeRequest(audio=chunk))
        await stream.half_close()
        events = []
        while (response := await stream.read()) is not None:
            if response.HasField("turn_event"):
                events.append(response.turn_event)
        await channel.close()
    assert [event.type for event in events] == [
        pb.TURN_EVENT_TYPE_START_OF_TURN,
        pb.TURN_EVENT_TYPE_EAGER_END_OF_TURN,
        pb.TURN_EVENT_TYPE_END_OF_TURN,
    ]
    assert events[-1].transcript.text == "What is artificial intelligence?"
    assert events[-1].wait_ms == 300
    # Without trimming the turn ends 300 ms after the detector's last frame of speech.
    exact = events[-1].sample - events[-1].last_voiced_sample == 300 * RATE // 1000
    assert exact or trim


async def test_who_waits_for_a_long_final_pass_sees_that_the_service_lives(
    serving: Serving, flite_speech: Speech, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("voicemesh_asr.stream._SIGN_OF_LIFE_S", 0.05)
    settings = {"asr.engine": "simulated", "asr.simulated.final_delay_ms": 500}
    async with serving("asr", **settings) as target, open_channel(target) as channel:
        speaker = Speaker(SpeechRecognizerServiceStub(channel))
        await speaker.start()
        await speaker.audio(utterance(flite_speech("what time is it"), tail_s=0))
        await speaker.end()
        await speaker.send(heartbeat=common_pb2.Heartbeat(sequence=7))
        kinds: list[str | None] = []
        while not kinds or kinds[-1] != "heartbeat":
            kinds.append((await speaker.read()).WhichOneof("streaming_response"))
        assert speaker.signs_of_life > 2
        assert "turn_event" in kinds, "the echo comes after what was sent before it"
        speaker.call.cancel()
