"""The stamps of a conversation: each is newer than all before."""

from __future__ import annotations

from voicemesh.v1.common_pb2 import Stamp


class StampMint:
    """Makes stamps under one epoch."""

    def __init__(self, epoch: int, turn: int = 0) -> None:
        """``turn``: the newest turn that the conversation has had already."""
        self.newest = Stamp(epoch=epoch, turn=turn)

    def turn(self) -> Stamp:
        """The stamp of a new turn."""
        self.newest = Stamp(epoch=self.newest.epoch, turn=self.newest.turn + 1)
        return self.newest

    def revision(self) -> Stamp:
        """The stamp under which the newest turn is worked on anew."""
        newest = Stamp()
        newest.CopyFrom(self.newest)
        newest.revision += 1
        self.newest = newest
        return newest
