"""The simulated voice, and how the service gathers its chunks into messages."""

from __future__ import annotations

from contextlib import aclosing
from typing import Any

import numpy as np
import pytest

from voicemesh.audio import Samples, pcm16
from voicemesh.audio_format import linear16
from voicemesh.grpc_client import Duplex, open_channel
from voicemesh.v1 import common_pb2
from voicemesh.v1 import tts_pb2 as pb
from voicemesh.v1.tts_pb2_grpc import SpeechSynthesizerServiceStub
from voicemesh.work_counter import WorkCounter
from voicemesh_tts.engines.engine import SpokenChunk
from voicemesh_tts.engines.simulated.engine import SimulatedVoice
from voicemesh_tts.engines.simulated.settings import SimulatedSettings
from voicemesh_tts.message_growth import GrowingMessages
from voicemesh_tts.piece_synthesizer import Speech

RATE = 16_000
TEXT = "Artificial intelligence is the science of making machines think."
INSTANT = {"first_chunk_ms": 0, "realtime_factor": 10_000}


async def speak(text: str, rate: float = 1.0, **settings: Any) -> list[SpokenChunk]:
    engine = SimulatedVoice(SimulatedSettings(**(INSTANT | settings)))
    async with aclosing(engine.synthesize(text, engine.voices()[0], rate, WorkCounter())) as chunks:
        return [chunk async for chunk in chunks]


async def test_audio_lasts_as_long_as_the_text_is() -> None:
    chunks = await speak(TEXT)
    assert sum(len(chunk.samples) for chunk in chunks) == round(len(TEXT) * 0.06 * RATE)
    hurried = await speak(TEXT, rate=2.0)
    assert sum(len(chunk.samples) for chunk in hurried) == round(len(TEXT) * 0.03 * RATE)


async def test_the_first_chunk_is_one_chunk_and_all_others_are_whole_ones() -> None:
    lengths = [len(chunk.samples) for chunk in await speak(TEXT, realtime_factor=100)]
    assert lengths[0] == 320
    assert all(length % 320 == 0 for length in lengths)


async def test_a_voice_that_does_not_stream_gives_one_chunk() -> None:
    (chunk,) = await speak(TEXT, chunk_ms=60_000)
    assert (chunk.begin, chunk.end) == (0, len(TEXT))


async def test_the_tone_has_its_pitch_without_a_break() -> None:
    audio = np.concatenate([chunk.samples for chunk in await speak(TEXT)])
    phase = np.arange(len(audio)) * 2 * np.pi * 400 / RATE
    assert np.corrcoef(audio, np.sin(phase))[0, 1] > 0.999


async def test_spans_never_go_back_and_end_with_the_text() -> None:
    chunks = await speak(TEXT, realtime_factor=100)
    begins = [chunk.begin for chunk in chunks]
    ends = [chunk.end for chunk in chunks]
    assert begins == sorted(begins)
    assert ends == sorted(ends)
    assert begins[0] == 0
    assert ends[-1] == len(TEXT)
    assert all(chunk.begin < chunk.end for chunk in chunks)


def gathered(parts: list[Speech]) -> list[Speech]:
    sent: list[Speech] = []
    messages = GrowingMessages(RATE, sent.append)
    for part in parts:
        messages.add(part)
    messages.flush()
    return sent


def frames(count: int, begin: int = 0) -> list[Speech]:
    samples: Samples = np.arange(320, dtype=np.int16)
    return [Speech(samples, begin + n, begin + n + 1) for n in range(count)]


def test_messages_grow_but_never_beyond_what_was_sent_before() -> None:
    sent = gathered(frames(40))
    lengths = [len(message.samples) // 320 for message in sent]
    assert lengths == [1, 1, 2, 4, 8, 8, 8, 8]
    assert [(sent[2].begin, sent[2].end), (sent[3].begin, sent[3].end)] == [(2, 4), (4, 8)]


def test_nothing_is_lost_and_long_chunks_pass_as_they_are() -> None:
    long = Speech(np.ones(RATE, dtype=np.int16), 3, 9)
    sent = gathered([*frames(3), long])
    assert sum(len(message.samples) for message in sent) == 3 * 320 + RATE
    assert len(sent) == 3


@pytest.mark.parametrize("pause_samples", [0, 1600])
def test_a_unit_begins_small_again_after_a_pause(pause_samples: int) -> None:
    pause = Speech(np.zeros(pause_samples, dtype=np.int16), 4, 4, pause=True)
    sent = gathered([*frames(4), pause, *frames(4, begin=4)])
    lengths = [len(message.samples) for message in sent]
    unit = [320, 320, 640]
    assert lengths == unit + ([pause_samples] if pause_samples else []) + unit


async def test_a_reply_of_a_stream_comes_whole_in_few_messages(serving: Any) -> None:
    pauses = {f"tts.{name}_pause_ms": 0 for name in ("sentence", "clause", "joint")}
    async with serving("tts", **{"tts.engine": "simulated"} | pauses) as target:
        channel = open_channel(target)
        call = SpeechSynthesizerServiceStub(channel).StreamingSynthesize()
        stream: Duplex[Any, Any] = Duplex(call, common_pb2.STAGE_TTS)
        config = pb.StreamingSynthesisConfig(audio_format=linear16(RATE))
        piece = pb.SynthesisInput(piece=1, text=TEXT, last=True)
        stamp = common_pb2.Stamp(epoch=1, turn=1)
        await stream.write(pb.StreamingSynthesizeRequest(streaming_config=config))
        await stream.write(pb.StreamingSynthesizeRequest(stamp=stamp, input=piece))
        await stream.half_close()
        chunks = []
        while (response := await stream.read()) is not None:
            if response.HasField("audio"):
                chunks.append(response.audio.chunk)
        await channel.close()
    audio = np.concatenate([pcm16(chunk.audio) for chunk in chunks])
    assert len(audio) == round(len(TEXT) * 0.06 * RATE)
    assert len(chunks[0].audio) == 640
    assert len(chunks) < len(audio) / 320 / 4
