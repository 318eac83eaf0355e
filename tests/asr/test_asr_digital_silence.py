"""Zeros are sound like any other: a gap within a word, and silence at its end."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from voicemesh.audio import Samples
from voicemesh.grpc_client import open_channel
from voicemesh.v1 import asr_pb2 as pb
from voicemesh.v1.asr_pb2_grpc import SpeechRecognizerServiceStub

from .speaker import END, RATE, START, Speaker, room, spoken

Speech = Callable[..., NDArray[np.int16]]
Serving = Callable[..., AbstractAsyncContextManager[str]]

GAP = RATE // 50
LATER = 512
"""One frame of silero, which hears the gap itself. What begins anew is three or more late."""


async def turn(serving: Serving, vad: str, audio: Samples) -> tuple[pb.TurnEvent, pb.TurnEvent]:
    """The beginning and the end of the only turn in ``audio``."""
    settings: dict[str, Any] = {"asr.engine": "simulated", "asr.vad": vad}
    async with serving("asr", **settings) as target, open_channel(target) as channel:
        speaker = Speaker(SpeechRecognizerServiceStub(channel))
        await speaker.start()
        await speaker.audio(audio, chunk=320)
        events = await speaker.until_end()
        assert await speaker.finish() == []
    (begin,) = (event for event in events if event.type == START)
    (end,) = (event for event in events if event.type == END)
    return begin, end


def scene(speech: Samples, tail: Samples) -> Samples:
    return np.concatenate([room(np.zeros(RATE, np.int16)), speech, tail])


@pytest.mark.parametrize("vad", ["silero", "webrtc"])
async def test_20_ms_of_zeros_within_a_word_do_not_delay_its_turn(
    serving: Serving, flite_speech: Speech, vad: str
) -> None:
    word = spoken(flite_speech("artificial intelligence"))
    quiet = room(np.zeros(RATE, np.int16))
    begin, end = await turn(serving, vad, scene(room(word), quiet))
    holed = room(word)
    # Within the sound that proves the speech, and all of a frame of webrtc.
    holed[2 * GAP : 3 * GAP] = 0
    with_gap, end_with_gap = await turn(serving, vad, scene(holed, quiet))
    assert with_gap.sample - begin.sample <= LATER
    later = with_gap.state.turn_begin_sample - begin.state.turn_begin_sample
    assert later <= LATER
    assert end_with_gap.sample == end.sample


@pytest.mark.parametrize("vad", ["silero", "webrtc"])
async def test_a_turn_ends_in_zeros_when_it_ends_in_a_quiet_room(
    serving: Serving, flite_speech: Speech, vad: str
) -> None:
    word = room(spoken(flite_speech("artificial intelligence")))
    _, quiet = await turn(serving, vad, scene(word, room(np.zeros(RATE, np.int16))))
    _, zeros = await turn(serving, vad, scene(word, np.zeros(RATE, np.int16)))
    assert abs(zeros.sample - quiet.sample) <= 0.032 * RATE
    assert abs(zeros.last_voiced_sample - quiet.last_voiced_sample) <= 0.01 * RATE
