"""What a robot says of its own voice is believed."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from voicemesh.audio_format import linear16
from voicemesh.v1 import asr_pb2 as pb
from voicemesh.v1 import common_pb2

Speech = Callable[..., NDArray[np.int16]]
Serving = Callable[..., AbstractAsyncContextManager[str]]
Recognizer = Callable[[str], AbstractAsyncContextManager[Any]]

RATE = 16_000


@pytest.mark.parametrize(("likelihood", "begins"), [(0.95, False), (0.4, True), (None, True)])
async def test_sound_that_is_the_robots_own_begins_no_turn(
    serving: Serving,
    recognizer: Recognizer,
    flite_speech: Speech,
    likelihood: float | None,
    begins: bool,
) -> None:
    echo = None if likelihood is None else common_pb2.EchoEvidence(likelihood=likelihood)
    said = flite_speech("what time is it")
    async with (
        serving("asr", **{"asr.engine": "simulated"}) as target,
        recognizer(target) as stub,
    ):
        call = stub.StreamingRecognize()
        config = pb.StreamingRecognitionConfig(audio_format=linear16(RATE))
        await call.write(pb.StreamingRecognizeRequest(streaming_config=config))
        for first in range(0, len(said), 320):
            chunk = common_pb2.AudioChunk(
                audio=said[first : first + 320].tobytes(), first_sample=first, echo=echo
            )
            await call.write(pb.StreamingRecognizeRequest(audio=chunk))
        silence = common_pb2.SilenceChunk(first_sample=len(said), sample_count=RATE)
        await call.write(pb.StreamingRecognizeRequest(silence=silence))
        await call.done_writing()
        events = [response.turn_event.type async for response in call]
    assert (pb.TURN_EVENT_TYPE_START_OF_TURN in events) is begins
