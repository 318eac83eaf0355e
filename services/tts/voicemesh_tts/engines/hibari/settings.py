"""``[tts.hibari]``: the settings of the engine."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from voicemesh.cores import OnCores
from voicemesh_tts.audio.target_level import TARGET_DBFS, TargetLevel

VoiceName = Literal["heart", "fenrir", "emma", "fable", "kore"]


class HibariSettings(OnCores):
    """``[tts.hibari]``: an English voice in the service's own process."""

    voice: VoiceName = Field(
        "heart",
        description="The voice. heart (American, female) is part of the package; fenrir (American, "
        "male), kore (American, female), emma (British, female) and fable (British, male) are "
        "fetched once by the package's own command, `hibari --voice fenrir Hello -o hello.wav`.",
    )
    threads: int = Field(
        1,
        ge=1,
        le=64,
        description="Threads of one unit's synthesis. One speaks 100 times faster than real time; "
        "more hardly help with so small a network and keep cores from recognition.",
    )
    target_level_dbfs: TargetLevel = TARGET_DBFS

    @property
    def most_threads(self) -> int:
        """See OnCores."""
        return self.threads
