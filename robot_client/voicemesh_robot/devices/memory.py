"""Devices without hardware: whoever holds them decides what is recorded and played."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import numpy as np

from voicemesh.aio import Channel, ChannelClosed
from voicemesh.audio import Samples
from voicemesh_robot.devices.device import Block, DeviceLost, Pull

_BLOCKS = 4096


class MemoryCapture:
    """An open :class:`MemoryMicrophone`."""

    def __init__(self, rate_hertz: int, name: str) -> None:
        """Nothing is recorded yet."""
        self.rate_hertz = rate_hertz
        self._name = name
        self.blocks: Channel[Block] = Channel(_BLOCKS)

    async def read(self) -> Block:
        """See Capture."""
        try:
            return await self.blocks.receive()
        except ChannelClosed:
            raise DeviceLost(f"the microphone {self._name} is gone; plug it in") from None

    async def close(self) -> None:
        """See Capture."""
        self.blocks.close()


class MemoryMicrophone:
    """A microphone in memory: it records what it is given, and can be unplugged."""

    def __init__(self, rate_hertz: int = 16_000, name: str = "memory") -> None:
        """``rate_hertz``: of the samples that will be given."""
        self.name = name
        self._rate = rate_hertz
        self._plugged = True
        self._capture: MemoryCapture | None = None
        self.opened = asyncio.Event()
        """Set while somebody has it open."""

    async def open(self) -> MemoryCapture:
        """See InputDevice."""
        if not self._plugged:
            raise DeviceLost(f"the microphone {self.name} is not there; plug it in")
        self._capture = MemoryCapture(self._rate, self.name)
        self.opened.set()
        return self._capture

    def record(self, samples: Samples, lost_before: int = 0) -> None:
        """These samples come next; ignored while nobody has it open."""
        if self._capture is not None and not self._capture.blocks.closed:
            self._capture.blocks.send(Block(samples, lost_before))

    def unplug(self) -> None:
        """The device disappears."""
        self._plugged = False
        self.opened.clear()
        if self._capture is not None:
            self._capture.blocks.close()

    def plug_in(self) -> None:
        """The device is back."""
        self._plugged = True


class MemoryOutput:
    """An open :class:`MemorySpeaker`."""

    def __init__(self, rate_hertz: int) -> None:
        """Nothing is played yet."""
        self.rate_hertz = rate_hertz
        self.pull: Pull | None = None
        self.lost: Callable[[DeviceLost], None] = lambda error: None

    def start(self, pull: Pull, lost: Callable[[DeviceLost], None]) -> None:
        """See Output."""
        self.pull, self.lost = pull, lost

    async def close(self) -> None:
        """See Output."""
        self.pull = None


class MemorySpeaker:
    """A loudspeaker in memory: it plays as many samples as it is told to, and keeps them."""

    def __init__(self, rate_hertz: int = 16_000, name: str = "memory") -> None:
        """``rate_hertz``: at which it plays."""
        self.name = name
        self._rate = rate_hertz
        self._plugged = True
        self._output: MemoryOutput | None = None
        self.opened = asyncio.Event()
        """Set while somebody has it open."""
        self.played: list[Samples] = []
        """All that was heard, silence left out."""

    async def open(self) -> MemoryOutput:
        """See OutputDevice."""
        if not self._plugged:
            raise DeviceLost(f"the speaker {self.name} is not there; plug it in")
        self._output = MemoryOutput(self._rate)
        self.opened.set()
        return self._output

    def play(self, count: int) -> Samples:
        """The next ``count`` samples are heard now; returns those that were no silence."""
        if self._output is None or self._output.pull is None:
            return np.zeros(0, dtype=np.int16)
        samples = self._output.pull(count, 0.0)
        self.played.append(samples)
        return samples

    def heard(self) -> Samples:
        """All that was heard, silence left out, shape (n,), int16."""
        return np.concatenate([np.zeros(0, dtype=np.int16), *self.played])

    def unplug(self) -> None:
        """The device disappears."""
        self._plugged = False
        self.opened.clear()
        if self._output is not None:
            output, self._output = self._output, None
            output.lost(DeviceLost(f"the speaker {self.name} is gone; plug it in"))

    def plug_in(self) -> None:
        """The device is back."""
        self._plugged = True
