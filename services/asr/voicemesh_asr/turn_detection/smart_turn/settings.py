"""Settings of Smart Turn."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from voicemesh.cores import OnCores

EXTRA = "voicemesh-asr[smart-turn]"
"""What has to be installed for it."""


class SmartTurnSettings(OnCores):
    """``[asr.smart_turn]``."""

    model: Path | None = Field(
        None,
        description="The ONNX file, such as smart-turn-v3.2-cpu.onnx (8 MB) from the project's "
        "pages. It has to be downloaded by hand, once.",
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
