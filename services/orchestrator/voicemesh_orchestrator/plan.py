"""What a client of Converse may ask for; errors name the field of its message."""

from __future__ import annotations

from voicemesh.audio import check_format
from voicemesh.errors import InvalidArgument, NotFound
from voicemesh.v1 import asr_pb2, dialog_pb2
from voicemesh_orchestrator.barge_in import phrases
from voicemesh_orchestrator.floor_settings import FloorSettings
from voicemesh_orchestrator.turn.machine import MAX_TYPED_CHARS
from voicemesh_orchestrator.turn.policy import check_policy

_LONGEST_LEAD_MS = 600_000


def check_config(config: dialog_pb2.ConverseConfig) -> None:
    """The config that begins a conversation; InvalidArgument or NotFound."""
    if config.resume_token:
        raise NotFound(
            "this conversation is not known here; start a new one without a resume_token",
            field="config.resume_token",
        )
    if config.HasField("input_format"):
        check_format(config.input_format, "config.input_format")
    if config.HasField("output_format"):
        check_format(config.output_format, "config.output_format")
    if not 0 <= config.reply_lead_ms <= _LONGEST_LEAD_MS:
        raise InvalidArgument(
            f"{config.reply_lead_ms} ms is out of range; ask for 0 (the setting) to "
            f"{_LONGEST_LEAD_MS}",
            field="config.reply_lead_ms",
        )
    check_policy(config.interruption_policy, "config.interruption_policy")


def check_said(say: dialog_pb2.SayText) -> None:
    """What the robot is to say by itself; InvalidArgument."""
    check_policy(say.interruption_policy, "say.interruption_policy")
    if not 0 < len(say.text.strip()) <= len(say.text) <= MAX_TYPED_CHARS:
        raise InvalidArgument(
            f"say 1 to {MAX_TYPED_CHARS} characters, not {len(say.text)}", field="say.text"
        )


_POLICIES: dict[str, dialog_pb2.InterruptionPolicy.ValueType] = {
    "stop": dialog_pb2.INTERRUPTION_POLICY_STOP,
    "pause": dialog_pb2.INTERRUPTION_POLICY_PAUSE_THEN_DECIDE,
    "duck": dialog_pb2.INTERRUPTION_POLICY_DUCK,
    "ignore": dialog_pb2.INTERRUPTION_POLICY_IGNORE,
}


def policy_of(
    config: dialog_pb2.ConverseConfig, settings: FloorSettings
) -> dialog_pb2.InterruptionPolicy.ValueType:
    """The client's choice, or else the setting."""
    return config.interruption_policy or _POLICIES[settings.interruption_policy]


_MOST_HINTS = 2_000  # More are refused.


def recognition_config(
    conversation_id: str, config: dialog_pb2.ConverseConfig, floor: FloorSettings
) -> asr_pb2.StreamingRecognitionConfig:
    """How the speech of a conversation is to be recognised.

    What is said into replies is expected, as far as the client's own hints leave room.
    """
    expected = phrases.expected(
        config.language_codes, floor.hard_stop_phrases, floor.backchannel_phrases
    )
    room = max(0, _MOST_HINTS - len(config.phrase_hints))
    return asr_pb2.StreamingRecognitionConfig(
        conversation_id=conversation_id,
        audio_format=config.input_format,
        language_codes=config.language_codes,
        interim_results=True,
        phrase_hints=[*config.phrase_hints, *expected[:room]],
        vad=config.vad,
        turn_detector=config.turn_detector,
    )
