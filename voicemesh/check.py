"""The result of one check of ``voicemesh doctor``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Verdict = Literal["ok", "warn", "fail"]


@dataclass(frozen=True)
class Check:
    """One thing that was looked at."""

    name: str
    verdict: Verdict
    """fail: something that the settings ask for cannot work; warn: something else."""
    detail: str
    cure: str = ""
