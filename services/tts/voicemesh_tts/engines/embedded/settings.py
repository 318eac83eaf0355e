"""Settings of the embedded voices."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from voicemesh.cores import OnCores
from voicemesh_tts.audio.target_level import TARGET_DBFS, TargetLevel


class EmbeddedSettings(OnCores):
    """``[tts.embedded]``."""

    english_voice: Literal["rms", "slt", "awb", "kal16"] = Field(
        "rms",
        description="Flite's voice for English. rms is the most intelligible one (4 % word errors "
        "by a recogniser, slt 22 %); kal16 costs a tenth of the CPU and sounds robotic.",
    )
    flite_workers: int = Field(
        2,
        ge=1,
        le=64,
        description="Processes that speak English; each says one unit at a time, 40 times faster "
        "than real time. Two, so that a long sentence does not hold up a second conversation.",
    )
    espeak_workers: int = Field(
        1,
        ge=1,
        le=64,
        description="Processes that speak other languages, 300 times faster than real time.",
    )
    target_level_dbfs: TargetLevel = TARGET_DBFS

    @property
    def most_threads(self) -> int:
        """See OnCores: each worker is a process of one thread."""
        return self.flite_workers + self.espeak_workers
