"""Plays a reply on a playback clock and reports to the mesh where it stands."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from voicemesh.aio import TaskSet, cancel_and_wait
from voicemesh.errors import VoiceMeshError
from voicemesh.v1 import common_pb2 as pb
from voicemesh_robot.asking.playback_clock import PlaybackClock
from voicemesh_robot.clock import Clock
from voicemesh_robot.mesh.conversation import Conversation


class SimulatedPlayback:
    """The playback of one reply without a loudspeaker: it reports where it would stand.

    Reports go out at its first audio, every ``report_s`` seconds, and when it has drained.
    """

    def __init__(
        self,
        conversation: Conversation,
        stamp: pb.Stamp,
        speaker: PlaybackClock,
        clock: Clock,
        microphone_sample: Callable[[float], int],
        report_s: float,
    ) -> None:
        """``microphone_sample`` tells the microphone's sample at a moment of ``clock``."""
        self._conversation = conversation
        self.stamp = stamp
        """The reply that is played."""
        self._speaker = speaker
        self._clock = clock
        self._microphone_sample = microphone_sample
        self._report_s = report_s
        self._tasks = TaskSet()
        self._reporting: asyncio.Task[None] | None = None

    def arrived(self, sample_count: int) -> None:
        """So many samples more can be played."""
        self._speaker.arrived(self._clock.now(), sample_count)
        if self._reporting is None:
            self._reporting = self._tasks.start(self._report(), "playback reports")

    async def complete(self) -> None:
        """The reply has arrived whole."""
        self._speaker.complete(self._clock.now())
        await self._report_anew()  # It sleeps; the end may come sooner.

    async def pause(self) -> None:
        """Play nothing until ``resume``; the mesh is told where it stands."""
        self._speaker.pause(self._clock.now())
        await self._report_anew()

    async def resume(self) -> None:
        """Go on at the sample where it paused."""
        self._speaker.resume(self._clock.now())
        await self._report_anew()

    def played(self) -> int:
        """How many samples have been played."""
        return self._speaker.played(self._clock.now())

    async def _report_anew(self) -> None:
        if self._reporting is not None:
            await cancel_and_wait(self._reporting)
            self._reporting = self._tasks.start(self._report(), "playback reports")

    async def stop(self) -> int:
        """Play no more; returns how many samples were played."""
        await self._tasks.close()
        return self._speaker.played(self._clock.now())

    async def _report(self) -> None:
        drained = False
        while not drained:
            now = self._clock.now()
            drained = self._speaker.drained(now)
            report = pb.PlaybackReport(
                stamp=self.stamp,
                played_samples=self._speaker.played(now),
                microphone_sample=self._microphone_sample(now),
                drained=drained,
                paused=self._speaker.is_paused,
            )
            try:
                await self._conversation.report_playback(report)
            except VoiceMeshError:
                return  # The conversation is lost; whoever receives from it is told.
            await self._clock.sleep_until(self._next(now))

    def _next(self, now: float) -> float:
        regular = now + self._report_s
        dry = self._speaker.runs_dry_at(now)
        return min(regular, dry) if dry > now else regular
