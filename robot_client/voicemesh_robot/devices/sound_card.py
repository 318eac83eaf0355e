"""A microphone and a loudspeaker of a sound card."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable

import numpy as np

from voicemesh.aio import Channel, ChannelClosed, ChannelFull, TaskSet, cancel_and_wait
from voicemesh.audio import Samples, pcm16
from voicemesh_robot.devices.device import Block, DeviceLost, Pull
from voicemesh_robot.devices.lost_samples import LostSampleDetector
from voicemesh_robot.devices.portaudio import OpenStream, PortAudio

STALL_S = 1.0
"""Without a callback for so long a stream is looked at: does it still run?"""
DEAD_S = 6.0
"""Some sound servers need 2 s for their first sample; after this the device is dead."""
_CAPTURE_BUFFER_MS = 20  # The sound system keeps what is fetched late; nothing is lost.
_CAPACITY = 500
"""Blocks on their way through the event loop: 10 s."""


def _mono(data: bytes, channels: int) -> Samples:
    samples = pcm16(data)
    if channels == 1:
        return samples
    mixed: Samples = samples.reshape(-1, channels).mean(axis=1).astype(np.int16)
    return mixed


class CardCapture:
    """An open microphone of a sound card."""

    def __init__(self, portaudio: PortAudio, name: str) -> None:
        """Use CardMicrophone.open."""
        self._portaudio = portaudio
        self._name = name
        self._loop = asyncio.get_running_loop()
        self._blocks: Channel[Block] = Channel(_CAPACITY)
        self._on_the_way = 0
        self._lock = threading.Lock()
        self._lost_here = 0
        self._lost_samples: LostSampleDetector
        self._opened: OpenStream
        self.rate_hertz = 0

    async def start(self, wanted: str, rate_hertz: int) -> None:
        """Open the stream."""
        self._opened = await self._portaudio.open(
            wanted, True, rate_hertz, _CAPTURE_BUFFER_MS, self._recorded, self._fail
        )
        self.rate_hertz = self._opened.rate_hertz
        self._lost_samples = LostSampleDetector(self.rate_hertz)
        self._name = self._opened.name

    def _recorded(self, data: bytes | None, frames: int, latency_s: float, channels: int) -> None:
        """On PortAudio's thread: hand the samples to the event loop."""
        with self._lock:
            if data is None or self._on_the_way >= _CAPACITY:
                return  # The loop hangs; the gap shows when it goes on.
            self._on_the_way += 1
        try:
            self._loop.call_soon_threadsafe(self._arrived, data, channels, time.monotonic())
        except RuntimeError:
            return  # The loop has ended; the stream is about to be closed.

    def _arrived(self, data: bytes, channels: int, at_s: float) -> None:
        with self._lock:
            self._on_the_way -= 1
        if not self.rate_hertz:
            return  # Not yet known to be open.
        samples = _mono(data, channels)
        lost = self._lost_samples.process(len(samples), at_s) + self._lost_here
        try:
            self._blocks.send(Block(samples, lost))
            self._lost_here = 0
        except ChannelFull:
            self._lost_here = lost + len(samples)
        except ChannelClosed:
            return

    async def read(self) -> Block:
        """See Capture."""
        waited_s = 0.0
        while True:
            try:
                async with asyncio.timeout(STALL_S):
                    return await self._blocks.receive()
            except ChannelClosed:
                raise self._gone() from None
            except TimeoutError:
                waited_s += STALL_S
            if waited_s >= DEAD_S or not await self._portaudio.is_running(self._opened):
                raise self._gone()

    def _gone(self) -> DeviceLost:
        return DeviceLost(f"the microphone {self._name} is gone; it is used again when it is back")

    def _fail(self, error: DeviceLost) -> None:
        self._blocks.close()

    async def close(self) -> None:
        """See Capture."""
        self._blocks.close()
        await self._portaudio.close(self._opened)


class CardMicrophone:
    """A microphone, by index or name."""

    def __init__(self, portaudio: PortAudio, wanted: str, rate_hertz: int = 0) -> None:
        """``wanted`` empty: the default. ``rate_hertz`` 0: 16000 where the device can."""
        self.name = wanted or "default"
        self._portaudio = portaudio
        self._wanted = wanted
        self._rate = rate_hertz

    async def open(self) -> CardCapture:
        """See InputDevice."""
        capture = CardCapture(self._portaudio, self.name)
        try:
            await capture.start(self._wanted, self._rate)
        except DeviceLost:
            self._portaudio.rescan()
            raise
        return capture


class CardOutput:
    """An open loudspeaker of a sound card."""

    def __init__(self, portaudio: PortAudio, name: str) -> None:
        """Use CardSpeaker.open."""
        self._portaudio = portaudio
        self._name = name
        self._pull: Pull | None = None
        self._lost: Callable[[DeviceLost], None] | None = None
        self._called_s = time.monotonic()
        self._tasks = TaskSet()
        self._watch: asyncio.Task[None] | None = None
        self._opened: OpenStream
        self.rate_hertz = 0

    async def open(self, wanted: str, buffer_ms: int) -> None:
        """Open the stream; it plays silence until ``start``."""
        self._opened = await self._portaudio.open(
            wanted, False, 0, buffer_ms, self._filled, self._fail
        )
        self.rate_hertz = self._opened.rate_hertz
        self._name = self._opened.name

    def _filled(self, data: bytes | None, frames: int, latency_s: float, channels: int) -> bytes:
        """On PortAudio's thread: the next samples, filled up with silence."""
        self._called_s = time.monotonic()
        pull = self._pull
        samples = np.zeros(frames, dtype="<i2")
        if pull is not None:
            taken = pull(frames, max(0.0, latency_s))
            samples[: len(taken)] = taken
        if channels > 1:
            samples = np.repeat(samples, channels)
        return samples.tobytes()

    def start(self, pull: Pull, lost: Callable[[DeviceLost], None]) -> None:
        """See Output."""
        self._pull, self._lost = pull, lost
        self._watch = self._tasks.start(self._watched(), "speaker watch")

    async def _watched(self) -> None:
        """PortAudio does not tell when a device is gone: it only stops calling."""
        while True:
            await asyncio.sleep(STALL_S)
            silent_s = time.monotonic() - self._called_s
            if silent_s < STALL_S:
                continue
            if silent_s >= DEAD_S or not await self._portaudio.is_running(self._opened):
                self._fail(DeviceLost(f"the speaker {self._name} is gone"))
                return

    def _fail(self, error: DeviceLost) -> None:
        lost, self._lost = self._lost, None
        if lost is not None:
            lost(error)

    async def close(self) -> None:
        """See Output."""
        self._pull = self._lost = None
        await cancel_and_wait(self._watch)
        await self._portaudio.close(self._opened)


class CardSpeaker:
    """A loudspeaker, by index or name."""

    def __init__(self, portaudio: PortAudio, wanted: str, buffer_ms: int) -> None:
        """``wanted`` empty: the default. ``buffer_ms``: length of one buffer; it holds two."""
        self.name = wanted or "default"
        self._portaudio = portaudio
        self._wanted = wanted
        self._buffer_ms = buffer_ms

    async def open(self) -> CardOutput:
        """See OutputDevice."""
        output = CardOutput(self._portaudio, self.name)
        try:
            await output.open(self._wanted, self._buffer_ms)
        except DeviceLost:
            self._portaudio.rescan()
            raise
        return output
