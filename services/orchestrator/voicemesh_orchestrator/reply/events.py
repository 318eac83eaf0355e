"""What a reply reports to the conversation that it belongs to."""

from __future__ import annotations

from typing import Protocol

from voicemesh.errors import VoiceMeshError
from voicemesh.v1 import common_pb2, dialog_pb2


class ReplyEvents(Protocol):
    """The conversation, as replies see it."""

    def reply_audible(self, stamp: common_pb2.Stamp) -> None:
        """The first audio of the reply goes to the client."""

    def reply_done(
        self, stamp: common_pb2.Stamp, outcome: dialog_pb2.TurnOutcome.ValueType
    ) -> None:
        """The reply (or the apology) has been played to its end."""

    def reply_failed(self, stamp: common_pb2.Stamp, error: VoiceMeshError) -> None:
        """A stage of the reply has failed."""

    def speculation_failed(self, stamp: common_pb2.Stamp) -> None:
        """What was begun before the turn is over has failed; nobody has noticed."""
