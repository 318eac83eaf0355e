"""Brings microphone and speaker together: frames in, frames without echo out."""

from __future__ import annotations

import logging
from dataclasses import replace

from voicemesh.audio import Samples
from voicemesh_robot import metrics
from voicemesh_robot.clock import Clock
from voicemesh_robot.echo.cancelling import Cancelled, CancellerStage
from voicemesh_robot.echo.device_clock import SLACK_S, DeviceClock
from voicemesh_robot.echo.evidence import NO_ECHO, EchoEvidence
from voicemesh_robot.echo.frame_cleaner import FrameCleaner, MakeCanceller
from voicemesh_robot.echo.reference import PlayedReference

log = logging.getLogger(__name__)

# Less is jitter, and drift.
_MOVED_MS = 3.0


def _without_slack(evidence: EchoEvidence) -> EchoEvidence:
    """The delay by the moments that the devices tell."""
    if evidence.delay_ms is None:
        return evidence
    return replace(evidence, delay_ms=evidence.delay_ms - SLACK_S * 1000)


class EchoGuard:
    """Echo cancellation of one robot. What has been learnt outlives a conversation.

    ``clean`` runs on the detector's thread, the rest on the event loop while it does not;
    only ``reset`` may come meanwhile.
    """

    def __init__(self, rate_hertz: int, make: MakeCanceller, clock: Clock) -> None:
        """``rate_hertz`` of the microphone."""
        self._rate = rate_hertz
        self._make = make
        self._clock = clock
        self.reference = PlayedReference(rate_hertz)
        """Whoever plays tells it."""
        self._recorded = DeviceClock(rate_hertz)
        self._cleaner: FrameCleaner | None = None
        self._forget = False
        self._told_ms: float | None = None
        self.evidence = NO_ECHO
        """As of the newest frame."""

    def reset(self) -> None:
        """Another device, or the same in another place: learn anew."""
        self._recorded = DeviceClock(self._rate)
        self._forget = True

    def arrived(self, position: int) -> None:
        """The microphone's sample before ``position`` has come."""
        self._recorded.feed(position, self._clock.now())

    def drop(self) -> None:
        """Give up what is held back: nobody waits for it any more."""
        if self._cleaner is not None:
            self._cleaner.drop()

    def clean(self, frame: Samples, first_sample: int) -> list[Cancelled]:
        """A frame of the microphone in; those frames out of which is known what they are.

        They come in order and are as long as the first one; some are held back, for
        two seconds at most. ``first_sample``: on the microphone's own count.
        """
        recorded = self._recorded  # A device that is back may bring another one at any moment.
        if not recorded.known:
            return [Cancelled(frame, NO_ECHO)]
        if self._cleaner is None or self._cleaner.frame != len(frame):
            self._cleaner = FrameCleaner(self._make, len(frame))
        if self._forget:
            self._forget = False
            self._told_ms = None
            self._cleaner.reset()
        played = self.reference.read(len(frame), recorded.moment_of(first_sample))
        self._cleaner.shift(self.reference.take_shift())
        cleaned = [
            replace(one, evidence=_without_slack(one.evidence))
            for one in self._cleaner.process(frame, played)
        ]
        if cleaned:
            self.evidence = cleaned[-1].evidence
            self._publish(self._cleaner.stage, self.evidence)
        return cleaned

    def _publish(self, stage: CancellerStage, evidence: EchoEvidence) -> None:
        if stage is not CancellerStage.LOCKED:
            return
        if evidence.delay_ms is not None:
            metrics.ECHO_DELAY.set(evidence.delay_ms / 1000)
            self._log_delay(evidence.delay_ms)
        if evidence.return_loss_db is not None and evidence.cancelled_db is not None:
            metrics.ECHO_RETURN_LOSS.set(evidence.return_loss_db)
            metrics.ECHO_CANCELLED.set(evidence.cancelled_db)

    def _log_delay(self, delay_ms: float) -> None:
        told_ms, self._told_ms = self._told_ms, delay_ms
        if told_ms is not None and abs(delay_ms - told_ms) > _MOVED_MS:
            log.info("the echo's delay has moved from %.0f to %.0f ms", told_ms, delay_ms)
