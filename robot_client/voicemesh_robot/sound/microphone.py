"""A microphone that goes on: one sample clock over gaps, loss and return of its device."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass

from voicemesh.audio import Samples, StreamResampler
from voicemesh_robot.clock import Clock
from voicemesh_robot.devices.device import (
    Block,
    Capture,
    DeviceLost,
    InputDevice,
    lost_device_backoff,
)
from voicemesh_robot.devices.notices import Notice, Observe, to_log
from voicemesh_robot.sound.level_meter import LevelMeter
from voicemesh_robot.speech_rate import SPEECH_RATE_HERTZ

log = logging.getLogger(__name__)

CLIPPING_SHARE = 0.001
"""From this share of clipped samples on speech is distorted for a recogniser."""
_WARN_EVERY_S = 10.0


@dataclass(frozen=True)
class Gap:
    """So many samples were not recorded."""

    sample_count: int


class Microphone:
    """Mono samples at 16 kHz on one clock, which begins with the object.

    The clock counts on while the device is closed or lost: sample n always
    stands for the same moment, as far as crystals agree.
    """

    rate_hertz = SPEECH_RATE_HERTZ

    def __init__(self, device: InputDevice, clock: Clock, observe: Observe = to_log) -> None:
        """Nothing is opened yet. ``observe`` is told of loss, return and clipping."""
        self._device = device
        self._clock = clock
        self._observe = observe
        self._anchor_s = clock.now()
        self._position = 0
        self._warned_s = -_WARN_EVERY_S
        self._capture: Capture | None = None
        self._changing = asyncio.Lock()
        self.level = LevelMeter(self.rate_hertz)
        """The last second."""

    @property
    def name(self) -> str:
        """The device's name."""
        return self._device.name

    @property
    def is_open(self) -> bool:
        """Whether it records."""
        return self._capture is not None

    @property
    def position(self) -> int:
        """The sample after the last that was recorded (or counted as a gap)."""
        return self._position

    def sample_at(self, moment_s: float) -> int:
        """The sample that is recorded at a moment of the clock."""
        return max(0, self._position + round((moment_s - self._anchor_s) * self.rate_hertz))

    def moment_of(self, sample: int) -> float:
        """The moment of the clock at which a sample is recorded, in seconds."""
        return self._anchor_s + (sample - self._position) / self.rate_hertz

    def skip(self) -> None:
        """Count the time since the last sample, without telling anybody, as not recorded."""
        self._advance(self.sample_at(self._clock.now()) - self._position)

    def _advance(self, sample_count: int) -> None:
        self._position += max(0, sample_count)
        self._anchor_s = self._clock.now()

    async def open(self) -> None:
        """Begin to record; DeviceLost where the device is not there.

        What is recorded waits for ``listen``, ten seconds of it at most.
        """
        async with self._changing:
            if self._capture is None:
                self._capture = await self._device.open()
                self.skip()

    async def close(self) -> None:
        """Record no more."""
        async with self._changing:
            capture, self._capture = self._capture, None
            self.level.reset()
            if capture is not None:
                await capture.close()

    async def listen(self) -> AsyncGenerator[Samples | Gap, None]:
        """The samples of the device, until nobody asks for more; then it is closed.

        A device that is not open is opened. One that is lost later is tried again
        until it is back; meanwhile gaps come.
        """
        await self.open()
        capture = self._capture
        assert capture is not None
        resampler = StreamResampler(capture.rate_hertz, self.rate_hertz)
        try:
            while True:
                try:
                    block = await capture.read()
                except DeviceLost as error:
                    self._observe(Notice("lost", str(error)))
                    await self.close()
                    async with aclosing(self._gaps_until_back()) as gaps:
                        async for gap in gaps:
                            yield gap
                    capture = self._capture
                    assert capture is not None
                    resampler = StreamResampler(capture.rate_hertz, self.rate_hertz)
                    continue
                if lost := self._lost_before(block, capture):
                    yield lost
                samples = resampler.process(block.samples)
                if len(samples):
                    self._take(samples)
                    yield samples
        finally:
            await self.close()

    def _lost_before(self, block: Block, capture: Capture) -> Gap | None:
        lost = round(block.lost_before * self.rate_hertz / capture.rate_hertz)
        if not lost:
            return None
        self._advance(lost)
        log.warning("the microphone %s lost %d ms", self.name, lost * 1000 // self.rate_hertz)
        return Gap(lost)

    def _take(self, samples: Samples) -> None:
        self._advance(len(samples))
        self.level.feed(samples)
        now = self._clock.now()
        share = self.level.clipped_share
        if share > CLIPPING_SHARE and now - self._warned_s >= _WARN_EVERY_S:
            self._warned_s = now
            self._observe(
                Notice(
                    "clipping",
                    f"the microphone {self.name} clips ({share:.1%} of the last second); "
                    "turn its gain down",
                )
            )

    async def _gaps_until_back(self) -> AsyncGenerator[Gap, None]:
        """The time that passes, until the device is open again."""
        backoff = lost_device_backoff()
        while self._capture is None:
            await self._clock.sleep_until(self._clock.now() + backoff.next_s())
            begin = self._position
            try:
                await self.open()
                self._observe(Notice("back", f"the microphone {self.name} is back"))
            except DeviceLost as error:
                log.debug("still lost: %s", error)
                self.skip()
            if self._position > begin:
                yield Gap(self._position - begin)
