"""Every malformed message gets an error of its own, and the next caller is served."""

import asyncio
from typing import Any

import grpc.aio
import numpy as np
import pytest

from voicemesh import errors
from voicemesh.audio_format import linear16
from voicemesh.v1 import asr_pb2 as pb
from voicemesh.v1 import common_pb2

RATE = 16_000
Break = tuple[str, dict[str, Any], type[errors.VoiceMeshError], str]
CHUNK = common_pb2.AudioChunk
MALFORMED: list[Break] = [
    (
        "audio.first_sample",
        {"audio": CHUNK(audio=bytes(640), first_sample=320)},
        errors.InvalidArgument,
        "0 is next",
    ),
    ("audio.audio", {"audio": CHUNK(audio=bytes(641))}, errors.InvalidArgument, "whole number"),
    ("audio.audio", {"audio": CHUNK()}, errors.InvalidArgument, "no audio"),
    ("audio.audio", {"audio": CHUNK(audio=bytes(32_002))}, errors.InvalidArgument, "more than 1 s"),
    (
        "silence.sample_count",
        {"silence": common_pb2.SilenceChunk(sample_count=160_001)},
        errors.InvalidArgument,
        "10 s",
    ),
    (
        "silence.sample_count",
        {"silence": common_pb2.SilenceChunk()},
        errors.InvalidArgument,
        "not 1 to",
    ),
    (
        "silence.first_sample",
        {"silence": common_pb2.SilenceChunk(first_sample=9, sample_count=5)},
        errors.InvalidArgument,
        "0 is next",
    ),
    (
        "streaming_config",
        {"streaming_config": pb.StreamingRecognitionConfig()},
        errors.ProtocolViolation,
        "twice",
    ),
    ("streaming_request", {}, errors.ProtocolViolation, "carries nothing"),
    (
        "end_of_utterance.sample",
        {"end_of_utterance": common_pb2.EndOfUtterance(sample=5)},
        errors.InvalidArgument,
        "up to 0",
    ),
    (
        "turn_update.phrase_hints[0].boost",
        {"turn_update": pb.TurnUpdate(phrase_hints=[pb.PhraseHint(phrase="a", boost=21)])},
        errors.InvalidArgument,
        "0 to 20",
    ),
]

ROOT = "streaming_config"
WRONG_CONFIGS: list[Break] = [
    (
        f"{ROOT}.audio_format.encoding",
        {"audio_format": common_pb2.AudioFormat(sample_rate_hertz=RATE, channel_count=1)},
        errors.Unsupported,
        "LINEAR16",
    ),
    (
        f"{ROOT}.audio_format.sample_rate_hertz",
        {"audio_format": linear16(96_000)},
        errors.InvalidArgument,
        "8000 to 48000",
    ),
    (
        f"{ROOT}.language_codes",
        {"language_codes": ["zh-CN"]},
        errors.Unsupported,
        r"hears en, but not zh-CN.*mesh.languages.*asr.engine",
    ),
    (
        f"{ROOT}.vad.name",
        {"vad": pb.VadOptions(name="ears")},
        errors.InvalidArgument,
        "silero, webrtc",
    ),
    (
        f"{ROOT}.vad.aggressiveness",
        {"vad": pb.VadOptions(aggressiveness=2)},
        errors.Unsupported,
        "threshold",
    ),
    (
        f"{ROOT}.vad.aggressiveness",
        {"vad": pb.VadOptions(name="webrtc", aggressiveness=4)},
        errors.InvalidArgument,
        "0 to 3",
    ),
    (
        f"{ROOT}.vad.threshold",
        {"vad": pb.VadOptions(threshold=1.5)},
        errors.InvalidArgument,
        "between 0 and 1",
    ),
    (
        f"{ROOT}.turn_detector.name",
        {"turn_detector": pb.TurnDetectorOptions(name="magic")},
        errors.InvalidArgument,
        "adaptive",
    ),
    (
        f"{ROOT}.turn_detector.no_mark_wait_ms",
        {"turn_detector": pb.TurnDetectorOptions(no_mark_wait_ms=-1)},
        errors.InvalidArgument,
        "0 to 10000",
    ),
    (f"{ROOT}.model", {"model": "huge"}, errors.NotFound, "huge"),
    (f"{ROOT}.first_sample", {"first_sample": -1}, errors.InvalidArgument, "out of range"),
    (
        f"{ROOT}.phrase_hints[0].phrase",
        {"phrase_hints": [pb.PhraseHint()]},
        errors.InvalidArgument,
        "characters",
    ),
    (
        f"{ROOT}.resume_from.last_voiced_sample",
        {"resume_from": pb.TurnDetectorState(last_voiced_sample=-5)},
        errors.InvalidArgument,
        "out of range",
    ),
]


def config(**fields: Any) -> pb.StreamingRecognizeRequest:
    fields.setdefault("audio_format", linear16(RATE))
    return pb.StreamingRecognizeRequest(streaming_config=pb.StreamingRecognitionConfig(**fields))


async def refusal(stub: Any, *requests: pb.StreamingRecognizeRequest) -> errors.VoiceMeshError:
    """How the service answers these requests."""
    call = stub.StreamingRecognize()
    for request in requests:
        await call.write(request)
    try:
        async with asyncio.timeout(30):  # So that a failing test ends.
            while await call.read() is not grpc.aio.EOF:
                pass
    except grpc.aio.AioRpcError as error:
        return errors.from_rpc(error, common_pb2.STAGE_ASR)
    raise AssertionError("the stream ended well")


async def test_every_malformed_message_gets_its_own_error(stub: Any) -> None:
    for field, request, kind, text in MALFORMED:
        failure = await refusal(stub, config(), pb.StreamingRecognizeRequest(**request))
        assert failure.field == field, failure
        with pytest.raises(kind, match=text):
            raise failure


async def test_every_wrong_config_gets_its_own_error(stub: Any) -> None:
    for field, fields, kind, text in WRONG_CONFIGS:
        failure = await refusal(stub, config(**fields))
        assert failure.field == field, failure
        with pytest.raises(kind, match=text):
            raise failure


async def test_a_stream_that_does_not_begin_with_its_config_is_refused(stub: Any) -> None:
    silence = common_pb2.SilenceChunk(sample_count=5)
    failure = await refusal(stub, pb.StreamingRecognizeRequest(silence=silence))
    assert isinstance(failure, errors.ProtocolViolation)
    assert failure.field == "streaming_config"


async def test_after_all_refusals_the_next_caller_is_served(stub: Any) -> None:
    for _, request, _, _ in MALFORMED[:3]:
        await refusal(stub, config(), pb.StreamingRecognizeRequest(**request))
    response = await stub.Recognize(
        pb.RecognizeRequest(audio_format=linear16(RATE), audio=np.zeros(RATE, np.int16).tobytes())
    )
    assert not response.transcripts


async def test_the_longest_recording_at_the_highest_rate_is_accepted(stub: Any) -> None:
    recording = bytes(60 * 48_000 * 2)  # 5.76 MB, above gRPC's usual limit of 4.
    response = await stub.Recognize(
        pb.RecognizeRequest(audio_format=linear16(48_000), audio=recording)
    )
    assert not response.transcripts
