"""WebRTC's echo canceller (AEC3), from the wheels of pywebrtc-audio.

Licences: pywebrtc-audio Apache-2.0, WebRTC BSD-3-Clause. It finds the delay by itself, up to
half a second, and suppresses what is left: strongly, also what a user says softly.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from voicemesh.audio import Samples
from voicemesh.errors import EngineMissing
from voicemesh.registry import probe_import
from voicemesh.v1 import common_pb2 as pb
from voicemesh_robot.echo.cancelling import Cancelled, CancellerStage, EchoTimes
from voicemesh_robot.echo.evidence import NO_ECHO, EchoEvidence
from voicemesh_robot.echo.levels import Levels

if TYPE_CHECKING:
    from pywebrtc_audio import EchoCanceller

_FRAME_MS = 10
"""What the library works on; it would fill up less with silence."""
# Where so much is taken out within the last moments, the robot alone was heard.
_ALONE_DB = 10.0
_SURE = 0.9


def require_webrtc() -> None:
    """EngineMissing with the cure where the library is not installed."""
    probe = probe_import("pywebrtc_audio", "pywebrtc-audio", "voicemesh-robot[aec]")
    if not probe.usable:
        raise EngineMissing(
            f"the echo canceller webrtc cannot be used: {probe.reason}; {probe.cure}, or set "
            "robot.echo.canceller = 'builtin'",
            stage=pb.STAGE_ROBOT,
        )


class WebRtcCanceller:
    """See Canceller. What comes out is up to 10 ms later than what went in.

    Blocks that are no whole frames wait for each other.
    """

    def __init__(self, rate_hertz: int, block: int, times: EchoTimes) -> None:
        """``block``: samples of each block."""
        self._rate = rate_hertz
        self._block = block
        self._frame = rate_hertz * _FRAME_MS // 1000
        self._lasting = int((times.longest_delay_ms + times.tail_ms) * rate_hertz / 1000)
        self._delay_ms = times.delay_ms
        self._levels = Levels(rate_hertz, block)
        self.reset()

    def reset(self) -> None:
        """See Canceller."""
        from pywebrtc_audio import EchoCanceller

        delay_ms = max(0, round(self._delay_ms or 0))  # 0: it finds out.
        self._canceller: EchoCanceller = EchoCanceller(self._rate, stream_delay_ms=delay_ms)
        late = self._frame - math.gcd(self._frame, self._block)
        self._waiting: list[Samples] = [np.zeros(0, np.int16)] * 2
        """What was heard, and played, and makes no frame yet."""
        self._cleaned: Samples = np.zeros(late, np.int16)
        self._heard: Samples = np.zeros(late, np.int16)
        """As it was, for the same samples as ``_cleaned``."""
        self._since_played = self._lasting
        self._levels.reset()

    @property
    def stage(self) -> CancellerStage:
        """See Canceller."""
        return CancellerStage.IDLE if self._since_played >= self._lasting else CancellerStage.LOCKED

    def process(self, heard: Samples, played: Samples) -> Sequence[Cancelled]:
        """See Canceller."""
        self._since_played = 0 if played.any() else self._since_played + len(played)
        self._heard = np.concatenate([self._heard, heard])
        pair = (heard, played)
        self._waiting = [
            np.concatenate([old, new]) for old, new in zip(self._waiting, pair, strict=True)
        ]
        whole = len(self._waiting[0]) // self._frame * self._frame
        if whole:  # The library takes no empty arrays.
            near, far = (samples[:whole] for samples in self._waiting)
            self._waiting = [samples[whole:] for samples in self._waiting]
            self._cleaned = np.concatenate([self._cleaned, self._canceller.process(near, far)])
        block, self._cleaned = np.split(self._cleaned, [self._block])
        before, self._heard = np.split(self._heard, [self._block])
        return [self._judged(before, block, played)]

    def _judged(self, before: Samples, block: Samples, played: Samples) -> Cancelled:
        if self.stage is CancellerStage.IDLE:
            return Cancelled(block, NO_ECHO)
        wide = [samples.astype(np.float32) for samples in (before, block, played)]
        lately_db = self._levels.lately_db
        likelihood = 1 / (1 + math.exp(min(50.0, _ALONE_DB - lately_db)))
        self._levels.feed(wide[0], wide[1], wide[2], user_speaks=lately_db < _ALONE_DB / 2)
        evidence = EchoEvidence(
            likelihood,
            None,
            self._levels.return_loss_db,
            self._levels.cancelled_db,
        )
        return Cancelled(block, evidence, likelihood < _SURE)

    def drop(self) -> None:
        """See Canceller: nothing is held back."""

    def shift(self, samples: float) -> None:
        """See Canceller: the library looks after the delay itself."""
