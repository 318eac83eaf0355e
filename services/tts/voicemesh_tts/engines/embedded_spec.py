"""Announces the engine ``embedded``: its settings and what it needs."""

from __future__ import annotations

import ctypes
import ctypes.util
from importlib.util import find_spec
from typing import Literal

from pydantic import Field

from voicemesh.registry import EngineSpec, Probe
from voicemesh.settings import Section
from voicemesh_tts.engines.engine import Synthesizer


class EmbeddedSettings(Section):
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
    target_level_dbfs: float = Field(
        -23.0,
        ge=-40,
        le=-12,
        description="Level of the voiced parts of every voice, RMS in dB below full scale. -23 is "
        "broadcast speech and leaves the peaks room.",
    )


def _loads(library: str) -> bool:
    try:
        ctypes.CDLL(library)
    except OSError:
        return False
    return True


def _probe() -> Probe:
    from voicemesh_tts.engines import espeak, flite

    # espeak-ng is looked for, never loaded: that happens in its own process only.
    has_espeak = find_spec("espeakng_loader") is not None or bool(
        ctypes.util.find_library("espeak-ng")
    )
    missing = [] if _loads(flite.LIBRARY) else [("flite (English)", flite.CURE)]
    missing += [] if has_espeak else [("espeak-ng (other languages)", espeak.CURE)]
    if not missing:
        return Probe(True, "flite speaks English, espeak-ng the other languages")
    names = " and ".join(name for name, _ in missing)
    return Probe(False, f"{names} not found", "; ".join(cure for _, cure in missing))


def _make(settings: EmbeddedSettings) -> Synthesizer:
    from voicemesh_tts.engines.embedded import Embedded

    return Embedded(settings)


SPEC = EngineSpec(
    name="embedded",
    summary="flite for English, espeak-ng for Mandarin and all other languages",
    licence="flite: LicenseRef-Flite (BSD-like); espeak-ng: GPL-3.0-or-later, in its own process",
    config_type=EmbeddedSettings,
    factory=_make,
    probe=_probe,
    extra="espeak",
    tags=frozenset({"default"}),
)
