"""What a client of a conversation asked for, checked once and completed by the settings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from voicemesh.audio_format import check_format, linear16
from voicemesh.errors import InvalidArgument, NotFound
from voicemesh.v1 import asr_pb2, common_pb2, dialog_pb2, tts_pb2
from voicemesh_orchestrator.barge_in import phrases
from voicemesh_orchestrator.floor_settings import FloorSettings
from voicemesh_orchestrator.request_checks import check_policy
from voicemesh_orchestrator.settings import OrchestratorSettings
from voicemesh_orchestrator.turn.policy import DUCK, IGNORE, PAUSE, STOP, Policy

_LONGEST_LEAD_MS = 600_000
_MOST_HINTS = 2_000  # More are refused.
# What the recognisers work with and the default voices speak: nothing is resampled.
_USUAL_FORMAT = linear16(16_000)
_POLICIES: Mapping[str, Policy] = {
    "stop": STOP,
    "pause": PAUSE,
    "duck": DUCK,
    "ignore": IGNORE,
}


@dataclass(frozen=True)
class ConversationPlan:
    """One resolved plan: nobody behind it reads the client's config or a default again."""

    microphone_rate_hertz: int
    """Of the client's sound, in hertz; 0: it sends none."""
    output_format: common_pb2.AudioFormat | None
    """Of the reply audio; None: text only."""
    reply_lead_ms: int
    """How far reply audio may run ahead of play-out, in milliseconds."""
    policy: Policy
    """What happens to a reply when the user speaks over it."""
    recognition: asr_pb2.StreamingRecognitionConfig
    """How the user's speech is to be recognised."""
    synthesis: tts_pb2.StreamingSynthesisConfig | None
    """How replies are to be spoken; None: text only."""
    reports_playback: bool = False
    """Whether the client has promised playback reports."""
    language_codes: tuple[str, ...] = ()
    """BCP-47 tags, likeliest first; empty: the mesh's own."""
    system_prompt: str = ""
    """Instructions to the language model; empty: the service's persona."""
    facts: Mapping[str, str] = field(default_factory=dict)
    """Of the robot, for replies to use."""

    @property
    def reply_format(self) -> common_pb2.AudioFormat:
        """Of the reply audio; a usual one where there is none."""
        return self.output_format or _USUAL_FORMAT

    @property
    def reply_rate_hertz(self) -> int:
        """The same format's rate, in hertz."""
        return self.reply_format.sample_rate_hertz


def plan_conversation(
    conversation_id: str, config: dialog_pb2.ConverseConfig, settings: OrchestratorSettings
) -> ConversationPlan:
    """The plan of a client that sent ``config``; InvalidArgument or NotFound name its field."""
    _check(config)
    speaks = config.HasField("output_format")
    return ConversationPlan(
        microphone_rate_hertz=config.input_format.sample_rate_hertz,
        output_format=config.output_format if speaks else None,
        reply_lead_ms=config.reply_lead_ms or settings.reply_lead_ms,
        policy=config.interruption_policy or _POLICIES[settings.floor.interruption_policy],
        recognition=_recognition(conversation_id, config, settings.floor),
        synthesis=_synthesis(conversation_id, config) if speaks else None,
        reports_playback=config.reports_playback,
        language_codes=tuple(config.language_codes),
        system_prompt=config.system_prompt,
        facts=dict(config.facts),
    )


def plan_dialled_robot(
    conversation_id: str,
    language_codes: Sequence[str],
    facts: Mapping[str, str],
    settings: OrchestratorSettings,
) -> ConversationPlan:
    """The plan of a conversation with a robot that the orchestrator dials."""
    config = dialog_pb2.ConverseConfig(
        input_format=_USUAL_FORMAT,
        output_format=_USUAL_FORMAT,
        language_codes=language_codes,
        reports_playback=True,
        facts=facts,
    )
    return plan_conversation(conversation_id, config, settings)


def _check(config: dialog_pb2.ConverseConfig) -> None:
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


def _recognition(
    conversation_id: str, config: dialog_pb2.ConverseConfig, floor: FloorSettings
) -> asr_pb2.StreamingRecognitionConfig:
    """What is said into replies is expected, as far as the client's own hints leave room."""
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


def _synthesis(
    conversation_id: str, config: dialog_pb2.ConverseConfig
) -> tts_pb2.StreamingSynthesisConfig:
    return tts_pb2.StreamingSynthesisConfig(
        conversation_id=conversation_id,
        audio_format=config.output_format,
        language_code=config.language_codes[0] if config.language_codes else "",
        voice_name=config.voice_name,
    )
