"""Playback reports of the reply that is being played."""

from __future__ import annotations

from collections.abc import Callable

from voicemesh.v1 import common_pb2 as pb
from voicemesh_robot.sound.speaker import Speaker

_SHORTEST_S = 0.01


async def send_playback_reports(
    speaker: Speaker,
    microphone_sample: Callable[[], int],
    send: Callable[[pb.PlaybackReport], None],
    every_s: float,
) -> None:
    """Send reports until the reply of this moment has drained or another one has begun.

    A report goes out at once when playback pauses, goes on or ends, and when what
    was received runs dry; otherwise every ``every_s`` seconds.
    """
    stamp = speaker.stamp
    sent: tuple[bool, bool] | None = None
    next_s = 0.0
    now_s = speaker.now
    while speaker.stamp == stamp:
        report = speaker.report(microphone_sample())
        state = (report.paused, report.drained)
        if state != sent or now_s() >= next_s:
            send(report)
            sent, next_s = state, now_s() + every_s
        if report.drained:
            return
        mark_s = speaker.next_mark_s()
        wait_s = next_s - now_s()
        if mark_s is not None:
            wait_s = min(wait_s, mark_s)
        await speaker.changed(max(_SHORTEST_S, wait_s))
