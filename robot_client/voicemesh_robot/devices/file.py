"""Files as devices, for a robot without a sound card, at the pace of one."""

from __future__ import annotations

import asyncio
import wave
from collections.abc import Callable
from pathlib import Path

import numpy as np

from voicemesh.aio import TaskSet
from voicemesh.errors import InvalidArgument
from voicemesh.v1 import common_pb2 as pb
from voicemesh_robot.clock import Clock
from voicemesh_robot.devices.device import Block, DeviceLost, Pull
from voicemesh_robot.files.streamed_file import StreamedFile
from voicemesh_robot.speech_rate import SPEECH_RATE_HERTZ

BLOCK_MS = 20


class FileCapture:
    """An open microphone that gives a file once, and then silence without end."""

    def __init__(self, recording: StreamedFile, clock: Clock) -> None:
        """Begins now."""
        self.rate_hertz = SPEECH_RATE_HERTZ
        self._recording: StreamedFile | None = recording
        self._clock = clock
        self._start_s = clock.now()
        self._size = SPEECH_RATE_HERTZ * BLOCK_MS // 1000
        self._read = 0

    async def read(self) -> Block:
        """See Capture."""
        self._read += self._size
        await self._clock.sleep_until(self._start_s + self._read / self.rate_hertz)
        frame = None if self._recording is None else await self._recording.frame(self._size)
        if frame is None:
            self._recording = None
            return Block(np.zeros(self._size, dtype=np.int16))
        return Block(np.pad(frame, (0, self._size - len(frame))))

    async def close(self) -> None:
        """See Capture."""


class FileMicrophone:
    """A microphone that gives a file, from its start whenever it is opened."""

    def __init__(self, path: Path, clock: Clock) -> None:
        """``path``: WAV, FLAC or OGG."""
        self.name = str(path)
        self._path = path
        self._clock = clock

    async def open(self) -> FileCapture:
        """See InputDevice; errors as of AudioFile."""
        return FileCapture(await StreamedFile.open(self._path), self._clock)


class SilentMicrophone:
    """A microphone that gives silence, at a microphone's pace."""

    name = "none"

    def __init__(self, clock: Clock) -> None:
        """``clock``: whose pace."""
        self._clock = clock

    async def open(self) -> SilentCapture:
        """See InputDevice."""
        return SilentCapture(self._clock)


class SilentCapture:
    """An open microphone that gives silence without end."""

    def __init__(self, clock: Clock) -> None:
        """Begins now."""
        self.rate_hertz = SPEECH_RATE_HERTZ
        self._clock = clock
        self._next_s = clock.now()

    async def read(self) -> Block:
        """See Capture."""
        self._next_s += BLOCK_MS / 1000
        await self._clock.sleep_until(self._next_s)
        return Block(np.zeros(self.rate_hertz * BLOCK_MS // 1000, dtype=np.int16))

    async def close(self) -> None:
        """See Capture."""


class PacedOutput:
    """An open loudspeaker without hardware, at the pace of one; what is played goes into a file."""

    def __init__(self, rate_hertz: int, clock: Clock, file: wave.Wave_write | None) -> None:
        """``file``: where what is played is written; None: nowhere."""
        self.rate_hertz = rate_hertz
        self._clock = clock
        self._file = file
        self._tasks = TaskSet()

    def start(self, pull: Pull, lost: Callable[[DeviceLost], None]) -> None:
        """See Output."""
        self._tasks.start(self._play(pull, lost), "paced output")

    async def _play(self, pull: Pull, lost: Callable[[DeviceLost], None]) -> None:
        size = self.rate_hertz * BLOCK_MS // 1000
        next_s = self._clock.now()
        while True:
            samples = pull(size, 0.0)
            if self._file is not None and len(samples):
                try:
                    self._file.writeframes(samples.astype("<i2", copy=False).tobytes())
                except (OSError, wave.Error) as error:
                    lost(DeviceLost(f"the output file cannot be written: {error}"))
                    return
            next_s += BLOCK_MS / 1000
            await self._clock.sleep_until(next_s)

    async def close(self) -> None:
        """See Output."""
        await self._tasks.close()


class FileSpeaker:
    """A loudspeaker that writes what it plays into one WAV file, without its pauses."""

    def __init__(self, path: Path, rate_hertz: int, clock: Clock) -> None:
        """The file is made anew when the device is first opened."""
        self.name = str(path)
        self._path = path
        self._rate = rate_hertz
        self._clock = clock
        self._file: wave.Wave_write | None = None

    async def open(self) -> PacedOutput:
        """See OutputDevice; InvalidArgument where the file cannot be made."""
        if self._file is None:
            self._file = await asyncio.to_thread(self._create)
        return PacedOutput(self._rate, self._clock, self._file)

    def _create(self) -> wave.Wave_write:
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            file = wave.open(str(self._path), "wb")  # noqa: SIM115  # open as long as the device
        except OSError as error:
            raise InvalidArgument(
                f"the WAV file {self._path} cannot be written ({error}); name another place",
                stage=pb.STAGE_ROBOT,
            ) from None
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(self._rate)
        file.writeframes(b"")  # A whole header from the start, so that it can be read any time.
        return file


class SilentSpeaker:
    """A loudspeaker that plays nothing, at the pace of one."""

    name = "none"

    def __init__(self, rate_hertz: int, clock: Clock) -> None:
        """``rate_hertz``: at which it would play."""
        self._rate = rate_hertz
        self._clock = clock

    async def open(self) -> PacedOutput:
        """See OutputDevice."""
        return PacedOutput(self._rate, self._clock, None)
