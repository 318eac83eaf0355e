"""What the client of a conversation is sent, and whoever follows the same turn."""

from __future__ import annotations

from typing import Protocol

from voicemesh.v1 import common_pb2, dialog_pb2
from voicemesh_orchestrator.turn.machine import TurnMachine

Event = dialog_pb2.ConverseResponse


class Sink(Protocol):
    """Takes the events of a conversation. Never waits."""

    def send(self, event: Event) -> None:
        """One event, in order."""


class Outgoing:
    """Events on their way to the client; those of a reply pass only while it is wanted.

    The gate is the stamp: what a reply sends after the turn machine has turned to
    another one is dropped here, whoever was too slow to notice.
    """

    def __init__(self, client: Sink, machine: TurnMachine) -> None:
        """Nobody but ``client`` is sent anything before ``follower`` is set."""
        self._client = client
        self._machine = machine
        self.follower: Sink | None = None
        """Is sent the same, such as the feed of a turn that a controller asked for."""

    def send(self, event: Event) -> None:
        """Send an event of the conversation."""
        self._client.send(event)
        if self.follower is not None:
            self.follower.send(event)

    def send_reply(self, stamp: common_pb2.Stamp, event: Event) -> None:
        """Send something of the reply of ``stamp``, unless that is no longer wanted."""
        if stamp == self._machine.answering:
            event.stamp.CopyFrom(stamp)
            self.send(event)

    def send_text(self, stamp: common_pb2.Stamp, text: str, first_char: int) -> None:
        """Send more of a reply's text, which begins at its code point ``first_char``."""
        delta = dialog_pb2.ReplyText(text=text, first_char=first_char)
        self.send_reply(stamp, Event(reply_text=delta))

    def send_end(self, stamp: common_pb2.Stamp, char_count: int, sample_count: int) -> None:
        """Send that a reply is whole: so many code points and samples."""
        ended = dialog_pb2.ReplyEnded(char_count=char_count, sample_count=sample_count)
        self.send_reply(stamp, Event(reply_ended=ended))
