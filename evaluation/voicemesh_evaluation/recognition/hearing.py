"""Streams clips to a recogniser and takes down what it hears in each.

What is heard stands on the samples, so clips are sent as fast as they are taken unless their
pace is asked for.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import grpc.aio

from voicemesh.aio import cancel_and_wait
from voicemesh.audio_format import linear16
from voicemesh.errors import Busy, from_detail, from_rpc
from voicemesh.v1 import asr_pb2 as pb
from voicemesh.v1 import common_pb2
from voicemesh_evaluation.recognition.clip import RATE_HERTZ, Clip

if TYPE_CHECKING:  # The stubs' asynchronous types exist for type checkers only.
    from voicemesh.v1.asr_pb2_grpc import SpeechRecognizerServiceAsyncStub

    _Call = grpc.aio.StreamStreamCall[pb.StreamingRecognizeRequest, pb.StreamingRecognizeResponse]

_CHUNK_S = 0.1
_CHUNK = round(_CHUNK_S * RATE_HERTZ)
_TIMEOUT_S = 180.0
"""Beside the clip's own length, for a service that begins and one that is slow."""


@dataclass
class Heard:
    """What became of a clip."""

    seconds: float
    """Of sound that was sent."""
    engine: str = ""
    turns: list[str] = field(default_factory=list)
    """The final texts of its turns, in order; turns without words are none."""
    final_pass_ms: list[float] = field(default_factory=list)
    """What the final pass of each turn took."""
    refused: bool = False
    """Whether the service had no place for it."""

    @property
    def text(self) -> str:
        """All that was heard."""
        return " ".join(self.turns)


async def hear(
    stub: SpeechRecognizerServiceAsyncStub, clip: Clip, language: str = "", real_time: bool = False
) -> Heard:
    """What the service hears in a clip; ``language``: BCP-47, empty for its own.

    Errors of the service are raised, but for BUSY.
    """
    heard = Heard(clip.seconds)
    call = stub.StreamingRecognize(timeout=clip.seconds + _TIMEOUT_S, wait_for_ready=True)
    sending: asyncio.Task[None] | None = None
    try:
        await call.write(_config(language))
        while isinstance(response := await call.read(), pb.StreamingRecognizeResponse):
            match response.WhichOneof("streaming_response"):
                case "started":
                    heard.engine = response.started.engine
                    # Not before: a write to a stream that is refused would hide why.
                    sending = asyncio.create_task(_send(call, clip, real_time), name="clip")
                case "error" if response.error.code == common_pb2.ERROR_CODE_BUSY:
                    heard.refused = True
                case "error":
                    raise from_detail(response.error)
                case "turn_event":
                    _take(heard, response.turn_event)
    except grpc.aio.AioRpcError as error:
        told = from_rpc(error, common_pb2.STAGE_ASR)
        if not isinstance(told, Busy):
            raise told from None
        heard.refused = True
    finally:
        await cancel_and_wait(sending)
    return heard


def _take(heard: Heard, event: pb.TurnEvent) -> None:
    if event.type != pb.TURN_EVENT_TYPE_END_OF_TURN:
        return
    if event.final_pass_us:
        heard.final_pass_ms.append(event.final_pass_us / 1000)
    if event.transcript.text:
        heard.turns.append(event.transcript.text)


def _config(language: str) -> pb.StreamingRecognizeRequest:
    config = pb.StreamingRecognitionConfig(
        audio_format=linear16(RATE_HERTZ),
        interim_results=True,
        language_codes=[language] if language else [],
    )
    return pb.StreamingRecognizeRequest(streaming_config=config)


async def _send(call: _Call, clip: Clip, real_time: bool) -> None:
    loop = asyncio.get_running_loop()
    began_s = loop.time()
    for number, first in enumerate(range(0, len(clip.samples), _CHUNK), 1):
        if real_time:  # A chunk is there when its last sample has been spoken.
            await asyncio.sleep(began_s + number * _CHUNK_S - loop.time())
        audio = clip.samples[first : first + _CHUNK].tobytes()
        chunk = common_pb2.AudioChunk(first_sample=first, audio=audio)
        await call.write(pb.StreamingRecognizeRequest(audio=chunk))
    # A turn that its silence has not ended is over now.
    await call.write(pb.StreamingRecognizeRequest(end_of_utterance=common_pb2.EndOfUtterance()))
    await call.done_writing()
