"""An audio file that is streamed into a conversation."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from voicemesh.audio import Samples
from voicemesh.errors import VoiceMeshError
from voicemesh_robot.files.audio_file import AudioFile
from voicemesh_robot.files.speech_end import SpeechEndFinder
from voicemesh_robot.speech_rate import SPEECH_RATE_HERTZ


class StreamedFile:
    """An audio file, resampled and cut into frames as it is read."""

    def __init__(self, path: Path, rate_hertz: int = SPEECH_RATE_HERTZ) -> None:
        """Read the file once, to measure it; blocks. Errors as of AudioFile.

        A file that is damaged in its middle is refused here, before half of it
        has been sent.
        """
        self._file = AudioFile(path)
        speech_end = SpeechEndFinder(rate_hertz)
        self.sample_count = 0
        """Its length, in samples at the source's rate."""
        try:
            for block in self._file.blocks(rate_hertz):
                speech_end.feed(block)
                self.sample_count += len(block)
        except VoiceMeshError:
            self._file.close()
            raise
        self.voiced_end = min(speech_end.end_sample(), self.sample_count)
        """The sample after its last voiced one, counted from its start; 0: none is voiced."""
        self.first_sample: int | None = None
        """Where it began on the source's clock; None: not yet."""
        self._blocks: Iterator[Samples] = self._file.blocks(rate_hertz)
        self._rest = np.zeros(0, dtype=np.int16)

    @classmethod
    async def open(cls, path: Path, rate_hertz: int = SPEECH_RATE_HERTZ) -> StreamedFile:
        """The file, measured in a thread."""
        return await asyncio.to_thread(cls, path, rate_hertz)

    async def frame(self, size: int) -> Samples | None:
        """The next ``size`` samples, fewer only at the end; None when it is over.

        The file is read in a thread, half a second at a time.
        """
        while len(self._rest) < size:
            block = await asyncio.to_thread(next, self._blocks, None)
            if block is None:
                break
            self._rest = np.concatenate([self._rest, block])
        if not len(self._rest):
            self._file.close()
            return None
        frame, self._rest = self._rest[:size], self._rest[size:]
        return frame
