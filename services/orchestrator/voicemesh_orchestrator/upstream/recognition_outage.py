"""A time in which recognition is lost, and when the client is to be told of it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from voicemesh.audio import dbfs, pcm16
from voicemesh.v1 import common_pb2
from voicemesh_orchestrator.upstream.kept_sound import Said

_SPEECH_DBFS = -45.0  # Quiet speech into a microphone is louder, an empty room is not.
_SPEECH_S = 0.2  # Shorter sounds are knocks and clicks.
_PAUSE_S = 1.0  # Longer than pauses within a question.


class RecognitionOutage:
    """Tells when it has become long, and from then on whenever somebody speaks.

    What is said into a short outage is not lost, because the sound is kept. Nobody can
    recognise speech meanwhile; a sound after a second of quiet is taken for it.
    """

    def __init__(self, rate_hertz: int, long_s: float, tell: Callable[[bool], None]) -> None:
        """Begins now; ``tell`` runs on the event loop.

        It is told whether somebody has spoken, and so waits for an answer.
        """
        self._tell = tell
        self._speech = int(_SPEECH_S * rate_hertz)
        self._pause = int(_PAUSE_S * rate_hertz)
        self._loud = 0
        self._quiet = 0
        self._long = False
        self._timer = asyncio.get_running_loop().call_later(long_s, self._become_long)

    @property
    def _somebody_speaks(self) -> bool:
        return self._loud >= self._speech

    def _become_long(self) -> None:
        self._long = True
        self._tell(self._somebody_speaks)

    def feed(self, said: Said) -> None:
        """What comes from the microphone meanwhile, or has come and may not have been heard."""
        match said:
            case common_pb2.SilenceChunk():
                self._feed_quiet(said.sample_count)
            case common_pb2.AudioChunk() if dbfs(samples := pcm16(said.audio)) < _SPEECH_DBFS:
                self._feed_quiet(len(samples))
            case common_pb2.AudioChunk():
                self._feed_loud(len(said.audio) // 2)

    def _feed_quiet(self, samples: int) -> None:
        self._quiet += samples
        if self._long and self._quiet >= self._pause:
            self._loud = 0  # What comes next is something else.

    def _feed_loud(self, samples: int) -> None:
        self._quiet = 0
        spoke = self._somebody_speaks
        self._loud += samples
        if self._long and self._somebody_speaks and not spoke:
            self._tell(True)

    def end(self) -> None:
        """Recognition is back, or nobody needs it any more."""
        self._timer.cancel()
