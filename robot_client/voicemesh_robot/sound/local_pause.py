"""The robot falls silent when somebody speaks to it, before the mesh has decided."""

from __future__ import annotations

import asyncio

from voicemesh.aio import TaskSet
from voicemesh_robot import metrics
from voicemesh_robot.clock import Clock
from voicemesh_robot.sound.speaker import Speaker


class LocalPause:
    """Pauses the reply at local speech; goes on where the mesh did not stop it.

    It falls silent at the first sign of speech, and goes on at once where that was none.
    """

    def __init__(self, speaker: Speaker, clock: Clock, after_s: float, enabled: bool) -> None:
        """``after_s``: how long the mesh has to decide, in seconds."""
        self._speaker = speaker
        self._clock = clock
        self._after_s = after_s
        self._enabled = enabled
        self._tasks = TaskSet()
        self._resuming: asyncio.Task[None] | None = None
        self._by_sign = False
        """Whether playback is paused because of what may become speech."""

    def sign(self, began: bool) -> None:
        """Somebody may be about to speak; ``began`` False: nobody was."""
        if began:
            self._by_sign = self._pause()
        elif self._by_sign:
            metrics.NO_SPEECH.inc()
            self.overruled()
            self._speaker.resume()

    def speech_began(self) -> bool:
        """Somebody speaks; whether playback has been paused because of it."""
        if self._by_sign and self._speaker.paused:
            self._wait_for_mesh()  # It has all its time from here on.
        elif not self._pause():
            return False
        metrics.LOCAL_PAUSES.inc()
        return True

    def _pause(self) -> bool:
        """Pause playback; whether there was any."""
        speaker = self._speaker
        if not self._enabled or not speaker.playing or speaker.paused:
            return False
        speaker.pause()
        self._wait_for_mesh()
        return True

    def _wait_for_mesh(self) -> None:
        self.overruled()  # An earlier pause, maybe of a reply that has been stopped since.
        self._resuming = self._tasks.start(self._resume(), "resume after local pause")

    async def _resume(self) -> None:
        stamp = self._speaker.stamp
        await self._clock.sleep_until(self._clock.now() + self._after_s)
        if self._speaker.stamp == stamp and self._speaker.paused:
            self._speaker.resume()

    def overruled(self) -> None:
        """Somebody else has decided about playback: it stays as they said."""
        self._by_sign = False
        if self._resuming is not None:
            self._resuming.cancel()
            self._resuming = None

    async def close(self) -> None:
        """Decide nothing any more."""
        await self._tasks.close()
