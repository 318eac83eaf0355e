"""What a microphone and a loudspeaker are to the rest of the client.

A device can be opened again and again. What is open delivers (or asks for) mono
int16 samples at a rate of its own choice, until it is closed or lost.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from voicemesh.audio import Samples
from voicemesh.backoff import Backoff
from voicemesh.errors import Unavailable
from voicemesh.v1 import common_pb2 as pb


class DeviceLost(Unavailable):
    """The device is not there (any more); it may come back."""

    def __init__(self, message: str) -> None:
        """``message``: what happened and the cure."""
        super().__init__(message, stage=pb.STAGE_ROBOT)


def lost_device_backoff() -> Backoff:
    """How long to wait before a device that was lost is opened again: 0.1 s, doubling to 2 s."""
    return Backoff(0.1, 2.0)


@dataclass(frozen=True)
class Block:
    """Samples that a microphone has recorded."""

    samples: Samples
    lost_before: int = 0
    """How many samples the device lost right before these."""


class Capture(Protocol):
    """An open microphone."""

    rate_hertz: int

    async def read(self) -> Block:
        """The next samples, about 20 ms of them; DeviceLost when there will be none."""
        ...

    async def close(self) -> None:
        """Record no more."""
        ...


class InputDevice(Protocol):
    """A microphone that can be opened."""

    name: str

    async def open(self) -> Capture:
        """Open it; DeviceLost where it is not there."""
        ...


Pull = Callable[[int, float], Samples]
"""``pull(count, latency_s)``: at most ``count`` samples, the first of which is heard
``latency_s`` seconds from now. Fewer mean silence for the rest. Called on whatever
thread the device has."""


class Output(Protocol):
    """An open loudspeaker."""

    rate_hertz: int

    def start(self, pull: Pull, lost: Callable[[DeviceLost], None]) -> None:
        """Ask ``pull`` for samples from now on; ``lost`` is told, on the event loop, once."""
        ...

    async def close(self) -> None:
        """Play no more."""
        ...


class OutputDevice(Protocol):
    """A loudspeaker that can be opened."""

    name: str

    async def open(self) -> Output:
        """Open it; DeviceLost where it is not there."""
        ...
