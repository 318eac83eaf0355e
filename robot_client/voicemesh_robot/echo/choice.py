"""The echo canceller that the settings choose."""

from __future__ import annotations

from functools import partial

from voicemesh_robot.echo.canceller import EchoCanceller
from voicemesh_robot.echo.cancelling import Canceller, CancellerName, EchoTimes
from voicemesh_robot.echo.frame_cleaner import MakeCanceller
from voicemesh_robot.echo.webrtc import WebRtcCanceller, require_webrtc


def canceller_maker(name: CancellerName, rate_hertz: int, times: EchoTimes) -> MakeCanceller:
    """What makes it; EngineMissing where its library is not installed."""
    if name == "webrtc":
        require_webrtc()
        return partial(_webrtc, rate_hertz, times)
    return partial(_builtin, rate_hertz, times)


def _webrtc(rate_hertz: int, times: EchoTimes, block: int) -> Canceller:
    return WebRtcCanceller(rate_hertz, block, times)


def _builtin(rate_hertz: int, times: EchoTimes, block: int) -> Canceller:
    return EchoCanceller(rate_hertz, block, times)
