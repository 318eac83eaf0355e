"""A time in which recognition is lost, and when the client is to be told of it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from voicemesh.audio import dbfs, pcm16
from voicemesh.v1 import common_pb2

_SPEECH_DBFS = -45.0  # Quiet speech into a microphone is louder, an empty room is not.
_PAUSE_S = 1.0  # Longer than pauses within a question.


class RecognitionOutage:
    """Tells when it has become long, and from then on whenever somebody begins to speak.

    What is said into a short outage is not lost, because the sound is kept. Nobody can
    recognise speech meanwhile; a sound after a second of quiet is taken for it.
    """

    def __init__(self, rate_hertz: int, long_s: float, tell: Callable[[], None]) -> None:
        """Begins now; ``tell`` runs on the event loop."""
        self._tell = tell
        self._pause = int(_PAUSE_S * rate_hertz)
        self._quiet = self._pause
        self._long = False
        self._timer = asyncio.get_running_loop().call_later(long_s, self._become_long)

    def _become_long(self) -> None:
        self._long = True
        self._tell()

    def feed(self, sound: common_pb2.AudioChunk | common_pb2.SilenceChunk) -> None:
        """What comes from the microphone meanwhile."""
        if isinstance(sound, common_pb2.SilenceChunk):
            self._quiet += sound.sample_count
        elif dbfs(samples := pcm16(sound.audio)) < _SPEECH_DBFS:
            self._quiet += len(samples)
        else:
            begins, self._quiet = self._quiet >= self._pause, 0
            if begins and self._long:
                self._tell()

    def end(self) -> None:
        """Recognition is back, or nobody needs it any more."""
        self._timer.cancel()
