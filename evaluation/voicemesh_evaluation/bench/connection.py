"""A connection under test: the mesh's or the floor's, the same to a caller."""

from __future__ import annotations

from typing import Protocol


class Caller(Protocol):
    """Who is told what comes over a connection."""

    def reply_started(self) -> None:
        """A reply begins; audio that came before belongs to an older one."""

    def audio(self, first_sample: int, count: int) -> None:
        """More audio of the current reply."""

    def reply_ended(self, sample_count: int) -> None:
        """The current reply has so many samples in all."""

    def dropped(self) -> None:
        """What is buffered of the reply is not to be played."""

    def failed(self, problem: str) -> None:
        """Something went wrong; the connection may live on."""


class Connection(Protocol):
    """The connection of one conversation. Frames go out, news comes to the caller."""

    async def open(self, caller: Caller) -> None:
        """Connect and begin to listen."""

    async def send(self, index: int, frame: bytes) -> None:
        """The microphone's next frame, counted from 0."""

    async def report(self, played_samples: int) -> None:
        """So much of the current reply has been played."""

    async def close(self) -> None:
        """Say good-bye and disconnect."""
