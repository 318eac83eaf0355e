"""The WebRTC detector: a Gaussian mixture, a hundred times cheaper than a network.

Good in quiet rooms and on the smallest boards; steady noise at 10 dB makes it
hear speech everywhere or miss a quarter of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from voicemesh.audio import Samples
from voicemesh.registry import EngineSpec, probe_import
from voicemesh.settings import Section
from voicemesh_asr.vad.vad import INLINE

if TYPE_CHECKING:
    import webrtcvad


class WebRtcSettings(Section):
    """``[asr.webrtc]``."""

    aggressiveness: int = Field(
        3,
        ge=0,
        le=3,
        description="How readily a frame is taken for noise. 3, the most: the milder modes take "
        "a fan for speech.",
    )


class WebRtcVad:
    """One speaker's detector."""

    rate_hertz = 16_000
    frame_samples = 320

    def __init__(self, aggressiveness: int) -> None:
        """``aggressiveness``: 0 to 3."""
        self._mode = aggressiveness
        self._detector = self._fresh()

    def _fresh(self) -> webrtcvad.Vad:
        import webrtcvad

        return webrtcvad.Vad(self._mode)

    def probability(self, frame: Samples) -> float:
        """0 or 1; the detector knows nothing between."""
        return float(self._detector.is_speech(frame.tobytes(), self.rate_hertz))

    def reset(self) -> None:
        """See Vad."""
        self._detector = self._fresh()


SPEC = EngineSpec(
    name="webrtc",
    summary="Classic detector for quiet rooms; nearly free",
    licence="MIT",
    config_type=WebRtcSettings,
    factory=lambda config: WebRtcVad(config.aggressiveness),
    probe=lambda: probe_import("webrtcvad", "webrtcvad-wheels"),
    tags=frozenset({INLINE}),
)
