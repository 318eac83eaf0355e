"""Settings of Smart Turn."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from voicemesh.cores import OnCores

EXTRA = "voicemesh-asr[smart-turn]"
"""What has to be installed for it."""
MODEL = "smart-turn-v3"
"""The model's name in the catalogue."""
FILE = "smart-turn-v3.2-cpu.onnx"


class SmartTurnSettings(OnCores):
    """``[asr.smart_turn]``."""

    model: Path | None = Field(
        None,
        description=f"An ONNX file of Smart Turn 3. Unset: {FILE} of {MODEL} in "
        "mesh.models_folder, which `voicemesh models pull` puts there.",
    )
    threads: int = Field(
        1,
        ge=1,
        le=16,
        description="Threads of one judgement. One, because the recogniser works at the same "
        "time; it takes 10 to 65 ms.",
    )

    @property
    def most_threads(self) -> int:
        """See OnCores."""
        return self.threads
