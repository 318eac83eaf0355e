"""A loudspeaker that plays one reply at a time and survives its device."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import numpy as np

from voicemesh.aio import TaskSet
from voicemesh.audio import Samples
from voicemesh.errors import VoiceMeshError
from voicemesh.v1 import common_pb2 as pb
from voicemesh_robot.clock import Clock
from voicemesh_robot.devices.device import DeviceLost, Output, OutputDevice, lost_device_backoff
from voicemesh_robot.devices.notices import Notice, Observe, to_log
from voicemesh_robot.echo.reference import PlayedReference
from voicemesh_robot.sound.play_queue import PlayQueue

LONGEST_WAITING_S = 60.0
"""Audio that may wait to be played. No orchestrator sends so far ahead of play-out."""
_NOTHING: Samples = np.zeros(0, dtype=np.int16)


class Speaker:
    """The robot's loudspeaker: plays one reply at a time on an output device.

    The device is opened with the first reply and stays open until ``close``.
    """

    def __init__(
        self,
        device: OutputDevice,
        clock: Clock,
        observe: Observe = to_log,
        reference: PlayedReference | None = None,
    ) -> None:
        """Nothing is opened yet. ``observe`` is told of loss and return.

        ``reference`` is told what leaves the speaker, silence and all.
        """
        self._reference = reference
        self._device = device
        self._clock = clock
        self._observe = observe
        self._output: Output | None = None
        self._opening = asyncio.Lock()
        self._queue: PlayQueue | None = None
        self._tasks = TaskSet()
        self._changed = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._on_lost: Callable[[DeviceLost], None] | None = None
        self.stamp = pb.Stamp()
        """The reply that plays or played last."""

    @property
    def name(self) -> str:
        """The device's name."""
        return self._device.name

    def now(self) -> float:
        """The time of the speaker's clock, in seconds."""
        return self._clock.now()

    @property
    def playing(self) -> bool:
        """Whether a reply is under way."""
        queue = self._queue
        return queue is not None and not self.drained

    @property
    def paused(self) -> bool:
        """Whether a reply is under way and paused."""
        return self._queue is not None and self._queue.paused

    @property
    def played(self) -> int:
        """How many samples of the reply have left the speaker, at the reply's rate."""
        return self._played(self._clock.now())

    def _played(self, now_s: float) -> int:
        return 0 if self._queue is None else self._queue.played(now_s)

    @property
    def drained(self) -> bool:
        """Whether the reply has been heard to its end."""
        return self._drained(self._clock.now())

    def _drained(self, now_s: float) -> bool:
        at_s = None if self._queue is None else self._queue.drained_at()
        return at_s is not None and at_s <= now_s

    async def open(self) -> None:
        """Open the device if it is not; DeviceLost where it is not there."""
        async with self._opening:
            if self._output is None:
                self._loop = asyncio.get_running_loop()
                output = await self._device.open()
                if self._reference is not None:
                    self._reference.restart(output.rate_hertz)
                output.start(self._take, self._lost)
                self._output = output

    def _take(self, count: int, latency_s: float) -> Samples:
        queue = self._queue
        heard_s = self._clock.now() + latency_s
        samples = _NOTHING if queue is None else queue.take(count, latency_s)
        if self._reference is not None:
            self._reference.feed(samples, count, heard_s)
        return samples

    async def begin(
        self,
        stamp: pb.Stamp,
        rate_hertz: int,
        on_lost: Callable[[DeviceLost], None] | None = None,
    ) -> None:
        """A new reply at its rate; the one before it is forgotten.

        ``on_lost`` is told when the device is lost during this reply.
        """
        await self.open()
        assert self._output is not None
        if self._queue is not None:
            self._queue.stop()
        self.stamp = stamp
        self._on_lost = on_lost
        self._queue = PlayQueue(
            rate_hertz, self._output.rate_hertz, self._clock.now, self._wake_from_anywhere
        )
        self._wake()

    def add(self, samples: Samples) -> None:
        """More of the reply."""
        if self._queue is not None:
            self._queue.add(samples)
            self._wake()

    async def room(self) -> None:
        """Wait while more than a minute of audio waits."""
        while self._queue is not None and self._queue.waiting_s > LONGEST_WAITING_S:
            await self.changed()

    def complete(self) -> None:
        """The reply has arrived whole."""
        if self._queue is not None:
            self._queue.complete()
            self._wake()

    def pause(self) -> None:
        """Fall silent within one buffer."""
        if self._queue is not None and self.playing:
            self._queue.pause()
            self._wake()

    def duck(self, volume: float) -> None:
        """Play more quietly within one buffer, until ``resume``."""
        if self._queue is not None:
            self._queue.duck(volume)

    def resume(self) -> None:
        """Go on where it paused."""
        if self._queue is not None:
            self._queue.resume()
            self._wake()

    def stop(self) -> int:
        """Fall silent within one buffer; how many samples of the reply were played."""
        if self._queue is None:
            return 0
        self._wake()
        return self._queue.stop()

    def report(self, microphone_sample: int) -> pb.PlaybackReport:
        """Where playback stands, paired with the microphone."""
        now_s = self._clock.now()  # One moment: who has drained has played all of it.
        return pb.PlaybackReport(
            stamp=self.stamp,
            played_samples=self._played(now_s),
            microphone_sample=microphone_sample,
            drained=self._drained(now_s),
            paused=self.paused,
        )

    async def changed(self, within_s: float | None = None) -> None:
        """Wait until something has happened to the reply, at most ``within_s`` seconds."""
        self._changed.clear()
        try:
            async with asyncio.timeout(within_s):
                await self._changed.wait()
        except TimeoutError:
            return

    def next_mark_s(self) -> float | None:
        """How long until what is in the device has been heard, in seconds; None: nothing is."""
        dry_at = None if self._queue is None else self._queue.dry_at()
        left = None if dry_at is None else dry_at - self._clock.now()
        return left if left is not None and left > 0 else None

    def _wake(self) -> None:
        self._changed.set()

    def _wake_from_anywhere(self) -> None:
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._wake)

    def _lost(self, error: DeviceLost) -> None:
        output, self._output = self._output, None
        if output is None:
            return
        self._observe(Notice("lost", str(error)))
        if self._on_lost is not None:
            self._on_lost(error)
        self._tasks.start(self._reopen(output), "speaker returns")

    async def _reopen(self, lost: Output) -> None:
        await lost.close()
        backoff = lost_device_backoff()
        while True:
            await self._clock.sleep_until(self._clock.now() + backoff.next_s())
            try:
                await self.open()
            except DeviceLost:
                continue
            except VoiceMeshError as error:
                self._observe(Notice("lost", str(error)))
                return
            self._observe(Notice("back", f"the speaker {self.name} is back"))
            return

    async def close(self) -> None:
        """Play no more."""
        await self._tasks.close()
        output, self._output = self._output, None
        if output is not None:
            await output.close()
