"""The setting that makes voices equally loud, whatever engine they are of."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

TARGET_DBFS = -23.0

TargetLevel = Annotated[
    float,
    Field(
        ge=-40,
        le=-12,
        description="Level of the voiced parts of every voice, RMS in dB below full scale. -23 is "
        "broadcast speech and leaves the peaks room. The same for all engines, so that a reply "
        "that changes its voice keeps its level.",
    ),
]
