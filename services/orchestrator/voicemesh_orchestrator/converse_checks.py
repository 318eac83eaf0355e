"""What a client of Converse may ask for; errors name the field of its message."""

from __future__ import annotations

from voicemesh.audio import check_format
from voicemesh.errors import InvalidArgument, NotFound
from voicemesh.v1 import dialog_pb2
from voicemesh_orchestrator.overhearing import check_policy
from voicemesh_orchestrator.turn_machine import MAX_TYPED_CHARS

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
