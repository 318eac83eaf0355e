"""Stamps: the generation of a piece of work, and the gate that drops old ones.

Cancellation is data. Whoever holds work keeps the newest stamp that it has seen
and drops every message that carries an older one.
"""

from voicemesh.v1.common_pb2 import Stamp

Order = tuple[int, int, int, int]


def order(stamp: Stamp) -> Order:
    """A key that sorts stamps from old to new."""
    return (stamp.epoch, stamp.turn, stamp.revision, stamp.attempt)


def label(stamp: Stamp) -> str:
    """A short form for logs: ``epoch.turn.revision.attempt``."""
    return f"{stamp.epoch}.{stamp.turn}.{stamp.revision}.{stamp.attempt}"


class StampGate:
    """Remembers the newest stamp and tells whether another is still current."""

    def __init__(self) -> None:
        """Starts with the zero stamp, which everything is at least as new as."""
        self.newest = Stamp()
        self._newest_order: Order = (0, 0, 0, 0)

    def admit(self, stamp: Stamp) -> bool:
        """Take note of ``stamp``; False when it is older than the newest."""
        key = order(stamp)
        if key < self._newest_order:
            return False
        if key > self._newest_order:
            self.newest = stamp
            self._newest_order = key
        return True

    def is_current(self, stamp: Stamp) -> bool:
        """Whether nothing newer than ``stamp`` has been seen."""
        return order(stamp) >= self._newest_order
