"""The bounds of every field of a request that can be long, many, or out of range."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from voicemesh.audio_format import MAX_CHUNK_SECONDS, MAX_RATE_HERTZ

_SAMPLE_BYTES = 2
_SAMPLES = (0, 2**53)
"""Sample indexes: 5,000 years at 48 kHz, and sums of two still fit into an int64."""
_COUNT = (0, 2**31 - 1)
MAX_RECORDING_SECONDS = 60
"""Of audio in one message, where it is a whole recording."""


@dataclass(frozen=True)
class Bound:
    """What a field may hold. Whatever is None is not bounded, or does not apply."""

    entries: int | None = None
    """Of a repeated field or a map, the most entries."""
    length: int | None = None
    """Of a string, the most characters; of bytes, the most bytes; also of entries and keys."""
    numbers: tuple[int, int] | None = None
    """Of a number, the least and the greatest."""


def _text(characters: int) -> Bound:
    return Bound(length=characters)


def _many(entries: int, length: int | None = None) -> Bound:
    return Bound(entries, length)


def _sound(seconds: int) -> Bound:
    return Bound(length=seconds * MAX_RATE_HERTZ * _SAMPLE_BYTES)


_IDENTIFIER = _text(256)
_REASON = _text(1_000)
_LANGUAGE = _text(35)  # The longest tag that RFC 5646 asks implementations to take.
_LANGUAGES = _many(32, 35)
_PHRASES = _many(2_000)
_FACTS = _many(64, 1_000)
_TURN = _text(20_000)  # What is said in a turn: 120 s of it are some 2,000 characters.
_TYPED = _text(4_000)
_SAMPLE = Bound(numbers=_SAMPLES)
_MILLISECONDS = Bound(numbers=(0, 86_400_000))
ANY = Bound()
"""A number of which nothing is computed."""

BOUNDS: Mapping[str, Bound] = {
    "AudioChunk.audio": _sound(MAX_CHUNK_SECONDS),
    "AudioChunk.first_sample": _SAMPLE,
    "SilenceChunk.first_sample": _SAMPLE,
    "SilenceChunk.sample_count": _SAMPLE,
    "EndOfUtterance.sample": _SAMPLE,
    "PlaybackReport.played_samples": _SAMPLE,
    "PlaybackReport.microphone_sample": _SAMPLE,
    "Heartbeat.sent_ms": ANY,
    "DrainNotice.reason": _REASON,
    "DrainNotice.grace_ms": _MILLISECONDS,
    "DrainNotice.move_to": _IDENTIFIER,
    "ErrorDetail.message": _text(4_000),
    "ErrorDetail.field": _IDENTIFIER,
    "ErrorDetail.retry_after_ms": _MILLISECONDS,
    # Recognition
    "PhraseHint.phrase": _text(200),
    "VadOptions.name": _IDENTIFIER,
    "TurnDetectorOptions.name": _IDENTIFIER,
    "TurnDetectorState.turn_begin_sample": _SAMPLE,
    "TurnDetectorState.last_voiced_sample": _SAMPLE,
    "TurnDetectorState.text": _TURN,
    "TurnDetectorState.eager_count": Bound(numbers=_COUNT),
    "TurnDetectorState.mean_pause_ms": Bound(numbers=(0, 60_000)),
    "TurnDetectorState.pause_count": Bound(numbers=_COUNT),
    "StreamingRecognitionConfig.conversation_id": _IDENTIFIER,
    "StreamingRecognitionConfig.language_codes": _LANGUAGES,
    "StreamingRecognitionConfig.phrase_hints": _PHRASES,
    "StreamingRecognitionConfig.first_sample": _SAMPLE,
    "StreamingRecognitionConfig.model": _IDENTIFIER,
    "TurnUpdate.phrase_hints": _PHRASES,
    "RecognizeRequest.audio": _sound(MAX_RECORDING_SECONDS),
    "RecognizeRequest.language_codes": _LANGUAGES,
    "RecognizeRequest.phrase_hints": _PHRASES,
    # What a recogniser tells, as a robot passes it on
    "Word.word": _IDENTIFIER,
    "Word.begin_sample": _SAMPLE,
    "Word.end_sample": _SAMPLE,
    "Transcript.text": _TURN,
    "Transcript.language_code": _LANGUAGE,
    "Transcript.begin_sample": _SAMPLE,
    "Transcript.end_sample": _SAMPLE,
    "Transcript.words": _many(4_000),
    "TurnEvent.sample": _SAMPLE,
    "TurnEvent.last_voiced_sample": _SAMPLE,
    "TurnEvent.final_pass_us": ANY,
    # Generation
    "GenerationRequest.conversation_id": _IDENTIFIER,
    "GenerationRequest.messages": _many(1_000),
    "GenerationRequest.tools": _many(128),
    "GenerationRequest.stop": _many(8, 64),
    "GenerationRequest.language_code": _LANGUAGE,
    "GenerationRequest.model": _IDENTIFIER,
    "GenerationRequest.facts": _FACTS,
    "ChatMessage.parts": _many(8),
    "ChatMessage.tool_calls": _many(16),
    "ChatMessage.tool_call_id": _IDENTIFIER,
    "ContentPart.text": _text(200_000),
    "AudioContent.audio": _sound(MAX_RECORDING_SECONDS),
    "Tool.name": _IDENTIFIER,
    "Tool.description": _text(10_000),
    "Tool.parameters_json_schema": _text(100_000),
    "ToolCall.tool_call_id": _IDENTIFIER,
    "ToolCall.name": _IDENTIFIER,
    "ToolCall.arguments_json": _text(100_000),
    "SamplingOptions.seed": ANY,
    "CancelGeneration.reason": _REASON,
    # Synthesis
    "StreamingSynthesisConfig.conversation_id": _IDENTIFIER,
    "StreamingSynthesisConfig.language_code": _LANGUAGE,
    "StreamingSynthesisConfig.voice_name": _IDENTIFIER,
    "SynthesisInput.text": _text(20_000),  # More than 2,000 fail the reply, not the stream.
    "CancelSynthesis.reason": _REASON,
    "ListVoicesRequest.language_code": _LANGUAGE,
    # Conversations
    "ConverseConfig.language_codes": _LANGUAGES,
    "ConverseConfig.phrase_hints": _PHRASES,
    "ConverseConfig.voice_name": _IDENTIFIER,
    "ConverseConfig.system_prompt": _text(50_000),
    "ConverseConfig.resume_token": _text(4_000),
    "ConverseConfig.facts": _FACTS,
    "TypedText.text": _TYPED,
    "SayText.text": _TYPED,
    "LocalSpeech.begin_sample": _SAMPLE,
    "WakeEvent.cause": _REASON,
    "WakeEvent.sample": _SAMPLE,
    "EndConversation.reason": _REASON,
    "ListenOnceRequest.robot_target": _IDENTIFIER,
    "ListenOnceRequest.conversation_id": _IDENTIFIER,
    "ListenOnceRequest.language_codes": _LANGUAGES,
    "RunTurnRequest.robot_target": _IDENTIFIER,
    "RunTurnRequest.conversation_id": _IDENTIFIER,
    "RunTurnRequest.language_codes": _LANGUAGES,
    "RunTurnRequest.text": _TYPED,
    "RunTurnRequest.say": _TYPED,
    # Robots
    "AsrTicket.target": _IDENTIFIER,
    "AsrTicket.ticket": _text(4_000),
    "GetStatusResponse.microphone": _IDENTIFIER,
    "GetStatusResponse.speaker": _IDENTIFIER,
    "GetStatusResponse.facts": _FACTS,
    "RobotCommandResult.command_id": _IDENTIFIER,
    # Operations
    "DrainRequest.grace_ms": _MILLISECONDS,
}
"""By message and field. A field of a request that could be long and is not named here
fails ``tests/kit/test_kit_request_bounds.py``."""

ELSEWHERE = Bound(entries=100, length=1_000)
"""Fields of messages that are not ours: health, reflection."""
