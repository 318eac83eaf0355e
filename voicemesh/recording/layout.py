"""The names of a recording's files, and what its config.json tells."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from google.protobuf import json_format

from voicemesh import __version__
from voicemesh.stamps import label
from voicemesh.v1 import common_pb2, dialog_pb2

FORMAT = 1
"""Counts up when older readers would misunderstand a recording."""

CONFIG = "config.json"
EVENTS = "events.jsonl"
MICROPHONE = "microphone.wav"


def reply_file(stamp: common_pb2.Stamp) -> str:
    """The name of the file with the reply of ``stamp``."""
    return f"reply-{label(stamp)}.wav"


@dataclass(frozen=True)
class About:
    """What is known of a conversation before its first event."""

    conversation_id: str
    started: str
    """When, in UTC, as ISO 8601."""
    config: dialog_pb2.ConverseConfig
    settings: Mapping[str, Any] = field(default_factory=dict)
    """The settings of whoever recorded it."""
    version: str = __version__
    """The version of voicemesh that recorded it."""

    def as_json(self) -> dict[str, Any]:
        """The content of config.json."""
        return {
            "format": FORMAT,
            "conversation_id": self.conversation_id,
            "started": self.started,
            "version": self.version,
            "config": json_format.MessageToDict(self.config, preserving_proto_field_name=True),
            "settings": dict(self.settings),
        }

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> About:
        """What a config.json tells; ValueError, KeyError or TypeError when it is none."""
        if content["format"] != FORMAT:
            raise ValueError(f"its format is {content['format']}, not {FORMAT}")
        return cls(
            conversation_id=str(content["conversation_id"]),
            started=str(content["started"]),
            config=json_format.ParseDict(
                content["config"], dialog_pb2.ConverseConfig(), ignore_unknown_fields=True
            ),
            settings=dict(content["settings"]),
            version=str(content["version"]),
        )
