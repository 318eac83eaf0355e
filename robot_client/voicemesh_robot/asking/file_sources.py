"""Audio files as the source of a conversation, in place of a microphone.

A source is an endless stream of sounds on one sample clock, as a microphone is.
Both sources of this file take audio files with ``stream``; they differ in their
pace alone.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Protocol

import numpy as np

from voicemesh.audio import Samples
from voicemesh_robot.clock import Clock
from voicemesh_robot.files.streamed_file import StreamedFile
from voicemesh_robot.sound.heard import EndOfSpeech, Heard, HeardSilence, HeardSound
from voicemesh_robot.speech_rate import SPEECH_RATE_HERTZ

FRAME_MS = 20
"""The usual frame of voice activity detectors; longer ones only add delay."""

FAST_FRAME_MS = 100
"""Where nobody waits for a single frame, fewer messages cost less."""


class FileSource(Protocol):
    """A source of a conversation's audio that audio files are streamed into."""

    rate_hertz: int

    def stream(self, recording: StreamedFile) -> None:
        """Stream a file as soon as the one before it is over."""
        ...

    def stop(self) -> None:
        """Stream no more of the file under way."""
        ...

    def expect_speech(self) -> None:
        """Somebody may speak: send what is heard."""
        ...

    def expect_silence(self) -> None:
        """Nobody is expected to speak: silence may be sent as a duration."""
        ...

    def sample_at(self, moment_s: float) -> int:
        """The sample that is recorded at a moment of the clock."""
        ...

    def recorded_at(self, sample: int) -> float:
        """The moment of the clock at which a sample was (or will be) recorded."""
        ...

    def sounds(self) -> AsyncIterator[Heard]:
        """Everything heard, without gap or overlap, until nobody asks for more."""
        ...


class RealTimeFileSource:
    """Streams files at the pace of a microphone, with silence between them.

    Frame n leaves when a microphone would have recorded it whole, at ``start +
    (n + 1) * 20 ms`` of the clock. Every moment is computed from the start, so
    that lateness never adds up: who is late sends the next frames at once.
    """

    def __init__(
        self, clock: Clock, silence_chunk_ms: int = 160, rate_hertz: int = SPEECH_RATE_HERTZ
    ) -> None:
        """The clock's reading now is when sample 0 is recorded."""
        self.rate_hertz = rate_hertz
        self._clock = clock
        self._start_s = clock.now()
        self._frame = rate_hertz * FRAME_MS // 1000
        self._silence_samples = rate_hertz * silence_chunk_ms // 1000
        self._recording: StreamedFile | None = None
        self._expects_speech = False
        self._recorded = 0
        self._sent = 0

    def stream(self, recording: StreamedFile) -> None:
        """Begin with the next frame, and send silence as samples from then on."""
        self._recording = recording
        self._expects_speech = True

    def stop(self) -> None:
        """Send nothing of the file from the next frame on."""
        self._recording = None

    def expect_speech(self) -> None:
        """Send silence as samples, since speech may begin or go on."""
        self._expects_speech = True

    def expect_silence(self) -> None:
        """Send silence as a duration where no file is being streamed."""
        self._expects_speech = False

    def sample_at(self, moment_s: float) -> int:
        """The sample that is recorded at ``moment_s``."""
        return max(0, int((moment_s - self._start_s) * self.rate_hertz))

    def recorded_at(self, sample: int) -> float:
        """When ``sample`` is recorded."""
        return self._start_s + sample / self.rate_hertz

    async def sounds(self) -> AsyncIterator[Heard]:
        """One frame every 20 ms, or one silence every ``silence_chunk_ms``."""
        silent_frame = np.zeros(self._frame, dtype=np.int16)
        while True:
            await self._clock.sleep_until(self.recorded_at(self._recorded + self._frame))
            frame = await self._spoken()
            if frame is None and self._expects_speech:
                frame = silent_frame
            if frame is not None and self._recorded > self._sent:
                yield self._silence()
            self._recorded += self._frame
            if frame is not None:
                yield HeardSound(self._sent, frame)
                self._sent = self._recorded
            elif self._recorded - self._sent >= self._silence_samples:
                yield self._silence()

    def _silence(self) -> HeardSilence:
        silence = HeardSilence(self._sent, self._recorded - self._sent)
        self._sent = self._recorded
        return silence

    async def _spoken(self) -> Samples | None:
        recording = self._recording
        if recording is None:
            return None
        frame = await recording.frame(self._frame)
        if recording.first_sample is None:
            recording.first_sample = self._recorded
        if frame is None:
            self._recording = None
            return None
        return np.pad(frame, (0, self._frame - len(frame)))


class FastFileSource:
    """Streams files as fast as the mesh takes them, each followed by the end of speech.

    There is nothing between two files. Whoever takes the sounds sets the pace.
    """

    def __init__(self, clock: Clock, rate_hertz: int = SPEECH_RATE_HERTZ) -> None:
        """The clock tells when samples were handed out."""
        self.rate_hertz = rate_hertz
        self._clock = clock
        self._frame = rate_hertz * FAST_FRAME_MS // 1000
        self._waiting: asyncio.Queue[StreamedFile] = asyncio.Queue(1)
        self._sent = 0
        self._sent_s = clock.now()

    def stream(self, recording: StreamedFile) -> None:
        """Begin at once; asyncio.QueueFull while another one waits already."""
        self._waiting.put_nowait(recording)

    def stop(self) -> None:
        """Changes nothing: the rest has been sent, or will be in a moment."""

    def expect_speech(self) -> None:
        """Changes nothing: there is no silence to send."""

    def expect_silence(self) -> None:
        """Changes nothing: there is no silence to send."""

    def sample_at(self, moment_s: float) -> int:
        """The last sample handed out: this source's clock stands still between files."""
        return self._sent

    def recorded_at(self, sample: int) -> float:
        """When the newest samples were handed out."""
        return self._sent_s

    async def sounds(self) -> AsyncIterator[Heard]:
        """100 ms at a time."""
        while True:
            recording = await self._waiting.get()
            recording.first_sample = self._sent
            while (frame := await recording.frame(self._frame)) is not None:
                yield HeardSound(self._sent, frame)
                self._sent += len(frame)
            self._sent_s = self._clock.now()
            yield EndOfSpeech(self._sent)
