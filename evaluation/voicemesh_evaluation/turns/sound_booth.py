"""A microphone and a loudspeaker without hardware, for trials in real time.

Both keep the pace of real devices, so that a robot between them behaves as one does.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from voicemesh.aio import TaskSet
from voicemesh.audio import Samples
from voicemesh_evaluation.turns.speech import RATE_HERTZ
from voicemesh_robot.clock import Clock
from voicemesh_robot.devices.device import Block, DeviceLost, Pull

_BLOCK = RATE_HERTZ // 50
BUFFER_MS = 40
"""Length of the speaker's buffers; it holds two, as sound cards do."""


@dataclass(frozen=True)
class Sounding:
    """Something that sounded, on the clock of the booth, in seconds."""

    begin_s: float
    samples: Samples
    label: str = ""

    @property
    def end_s(self) -> float:
        """When it was over."""
        return self.begin_s + len(self.samples) / RATE_HERTZ


class BoothMicrophone:
    """A microphone that hears silence, and what ``play`` gives it. It is opened once."""

    name = "booth"
    rate_hertz = RATE_HERTZ

    def __init__(self, clock: Clock) -> None:
        """``clock``: whose pace."""
        self._clock = clock
        self._start_s = clock.now()
        self._read = 0
        self._rest = np.zeros(0, dtype=np.int16)
        self.said: list[Sounding] = []
        """What was said, in order."""

    async def open(self) -> BoothMicrophone:
        """See InputDevice."""
        self._start_s = self._clock.now()
        self._read = 0
        return self

    def play(self, samples: Samples, label: str) -> Sounding:
        """Play this to the microphone from the next block on, or after what is being played."""
        first = self._read + len(self._rest)
        sounding = Sounding(self._start_s + first / RATE_HERTZ, samples, label)
        self._rest = np.concatenate([self._rest, samples])
        self.said.append(sounding)
        return sounding

    async def read(self) -> Block:
        """See Capture: a block arrives when its last sample has been recorded."""
        frame, self._rest = self._rest[:_BLOCK], self._rest[_BLOCK:]
        self._read += _BLOCK
        await self._clock.sleep_until(self._start_s + self._read / RATE_HERTZ)
        return Block(np.pad(frame, (0, _BLOCK - len(frame))))

    async def close(self) -> None:
        """See Capture."""


class BoothSpeaker:
    """A loudspeaker at 16 kHz, two buffers ahead of what is heard."""

    name = "booth"
    rate_hertz = RATE_HERTZ

    def __init__(self, clock: Clock) -> None:
        """``clock``: whose pace."""
        self._clock = clock
        self._tasks = TaskSet()
        self.played: list[Sounding] = []
        """Buffers that were not silent, with the moment at which they were heard."""

    async def open(self) -> BoothSpeaker:
        """See OutputDevice."""
        return self

    def start(self, pull: Pull, lost: Callable[[DeviceLost], None]) -> None:
        """See Output. It is never lost."""
        self._tasks.start(self._play(pull), "booth speaker")

    async def _play(self, pull: Pull) -> None:
        size = RATE_HERTZ * BUFFER_MS // 1000
        heard_s = self._clock.now() + BUFFER_MS / 1000
        while True:
            # The buffer before this one has just begun to sound.
            samples = pull(size, max(0.0, heard_s - self._clock.now()))
            if len(samples):
                self.played.append(Sounding(heard_s, samples))
            await self._clock.sleep_until(heard_s)
            heard_s += BUFFER_MS / 1000

    async def close(self) -> None:
        """See Output."""
        await self._tasks.close()
