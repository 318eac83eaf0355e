"""Plays a replay's replies exactly as far as the recorded client had played them."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from voicemesh.v1 import common_pb2, dialog_pb2
from voicemesh_robot.mesh.events import Event


@dataclass
class _Reply:
    stamp: common_pb2.Stamp
    received: int = 0
    complete: bool = False
    target: float = 0.0  # Samples; infinite: to its end.
    reported: int = -1
    drained: bool = False


class ReplayedPlayback:
    """The playback of a replay's replies: reports of it, up to where the recorded ones stood.

    So a reply is interrupted at the same sample again, however long the mesh takes
    this time. With ``hold`` each report says that playback pauses there, since
    between two steps of a fast replay no time passes for a loudspeaker.
    """

    def __init__(
        self, send: Callable[[common_pb2.PlaybackReport], Awaitable[None]], hold: bool
    ) -> None:
        """``send`` sends a report to the mesh."""
        self._send = send
        self._hold = hold
        self._replies: dict[int, _Reply] = {}
        self._microphone_sample = 0

    async def received(self, event: Event) -> None:
        """Play what may be played of an event of the mesh."""
        number = event.stamp.turn
        match event.payload:
            case dialog_pb2.ReplyStarted():
                self._replies[number] = _Reply(event.stamp)
            case dialog_pb2.ReplyAudio(chunk=chunk) if number in self._replies:
                self._replies[number].received += len(chunk.audio) // 2
                await self._report(self._replies[number])
            case dialog_pb2.ReplyEnded() if number in self._replies:
                self._replies[number].complete = True
                await self._report(self._replies[number])
            case dialog_pb2.TurnEnded():
                self._replies.pop(number, None)

    async def play(self, report: common_pb2.PlaybackReport) -> None:
        """Play as far as a recorded report says, now or as soon as it has arrived."""
        self._microphone_sample = report.microphone_sample
        reply = self._replies.get(report.stamp.turn)
        if reply is not None:
            target = math.inf if report.drained else float(report.played_samples)
            reply.target = max(reply.target, target)
            await self._report(reply)

    async def play_out(self, turn: int) -> None:
        """Play a turn's reply to its end."""
        reply = self._replies.get(turn)
        if reply is not None:
            reply.target = math.inf
            await self._report(reply)

    def behind(self, turn: int) -> bool:
        """Whether a reply has not been played as far as it should be."""
        reply = self._replies.get(turn)
        return reply is not None and not reply.complete and reply.received < reply.target

    def stamped(self, report: common_pb2.PlaybackReport) -> common_pb2.PlaybackReport:
        """A recorded report under the stamp that its turn has in this replay."""
        reply = self._replies.get(report.stamp.turn)
        renewed = common_pb2.PlaybackReport()
        renewed.CopyFrom(report)
        if reply is not None:
            renewed.stamp.CopyFrom(reply.stamp)
        return renewed

    async def _report(self, reply: _Reply) -> None:
        played = int(min(reply.received, reply.target))
        drained = reply.complete and math.isinf(reply.target)
        if played <= reply.reported and drained == reply.drained:
            return
        reply.reported, reply.drained = played, drained
        await self._send(
            common_pb2.PlaybackReport(
                stamp=reply.stamp,
                played_samples=played,
                microphone_sample=self._microphone_sample,
                paused=self._hold and not drained,
                drained=drained,
            )
        )
