"""Brings microphone and speaker together: frames in, frames without echo out."""

from __future__ import annotations

from dataclasses import replace

from voicemesh.audio import Samples
from voicemesh_robot import metrics
from voicemesh_robot.clock import Clock
from voicemesh_robot.echo.canceller import EchoCanceller, EchoTimes, Stage
from voicemesh_robot.echo.evidence import NO_ECHO, Evidence
from voicemesh_robot.echo.reference import SLACK_S, PlayedReference, SampleClock


def _without_slack(evidence: Evidence) -> Evidence:
    """The delay by the moments that the devices tell."""
    if evidence.delay_ms is None:
        return evidence
    return replace(evidence, delay_ms=evidence.delay_ms - SLACK_S * 1000)


class EchoGuard:
    """Of one robot. What has been learnt outlives a conversation.

    ``clean`` runs on the detector's thread, ``arrived`` and ``reset`` on the event loop.
    """

    def __init__(self, rate_hertz: int, times: EchoTimes, clock: Clock) -> None:
        """``rate_hertz`` of the microphone."""
        self._rate = rate_hertz
        self._times = times
        self._clock = clock
        self.reference = PlayedReference(rate_hertz)
        """Whoever plays tells it."""
        self._recorded = SampleClock(rate_hertz)
        self._canceller: EchoCanceller | None = None
        self._block = 0
        self._forget = False
        self.evidence = NO_ECHO
        """As of the newest frame."""

    def reset(self) -> None:
        """Another device, or the same in another place: learn anew."""
        self._recorded = SampleClock(self._rate)
        self._forget = True

    def arrived(self, position: int) -> None:
        """The microphone's sample before ``position`` has come."""
        self._recorded.push(position, self._clock.now())

    def clean(self, frame: Samples, first_sample: int) -> Samples:
        """A frame of the microphone of which half is a block, without echo.

        ``first_sample``: on the microphone's own count.
        """
        if not self._recorded.known:
            return frame
        block = len(frame) // 2
        if self._canceller is None or self._block != block:
            self._canceller = EchoCanceller(self._rate, block, self._times)
            self._block = block
        if self._forget:
            self._forget = False
            self._canceller.reset()
        played = self.reference.read(len(frame), self._recorded.moment_of(first_sample))
        out = frame.copy()
        for begin in range(0, len(frame), block):
            part = slice(begin, begin + block)
            cancelled = self._canceller.push(frame[part], played[part])
            out[part] = cancelled.samples
            self.evidence = _without_slack(cancelled.evidence)
        self._tell(self._canceller.stage, self.evidence)
        return out

    def _tell(self, stage: Stage, evidence: Evidence) -> None:
        if stage is not Stage.LOCKED:
            return
        if evidence.delay_ms is not None:
            metrics.ECHO_DELAY.set(evidence.delay_ms / 1000)
        if evidence.return_loss_db is not None and evidence.cancelled_db is not None:
            metrics.ECHO_RETURN_LOSS.set(evidence.return_loss_db)
            metrics.ECHO_CANCELLED.set(evidence.cancelled_db)
