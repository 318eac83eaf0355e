"""Heartbeats of long streams: whoever gets one sends it back, marked as an echo."""

from __future__ import annotations

from voicemesh.v1.common_pb2 import Heartbeat


class HeartbeatCounter:
    """Makes the heartbeats of one stream, numbered from 1."""

    def __init__(self) -> None:
        """None has been sent."""
        self._sequence = 0

    def next(self, now_s: float) -> Heartbeat:
        """The next one, sent at ``now_s`` (any monotonic clock, in seconds)."""
        self._sequence += 1
        return Heartbeat(sequence=self._sequence, sent_ms=int(now_s * 1000))


def echo_of(heartbeat: Heartbeat) -> Heartbeat | None:
    """What answers ``heartbeat``; None where it is an echo itself, which needs no answer."""
    if heartbeat.echo:
        return None
    return Heartbeat(sequence=heartbeat.sequence, sent_ms=heartbeat.sent_ms, echo=True)
