"""How the engine ``embedded`` announces itself."""

from __future__ import annotations

import ctypes
import ctypes.util
from importlib.util import find_spec
from typing import TYPE_CHECKING

from voicemesh.registry import EngineSpec, Probe
from voicemesh_tts.engines.embedded.settings import EmbeddedSettings

if TYPE_CHECKING:
    from voicemesh_tts.engines.embedded.engine import Embedded


def _loads(library: str) -> bool:
    try:
        ctypes.CDLL(library)
    except OSError:
        return False
    return True


def _probe() -> Probe:
    from voicemesh_tts.engines.embedded import espeak, flite

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


def _make(settings: EmbeddedSettings) -> Embedded:
    from voicemesh_tts.engines.embedded.engine import Embedded

    return Embedded(settings)


SPEC = EngineSpec(
    name="embedded",
    summary="flite for English, espeak-ng for Mandarin and all other languages",
    licence="flite: LicenseRef-Flite (BSD-like); espeak-ng: GPL-3.0-or-later, in its own process",
    config_type=EmbeddedSettings,
    factory=_make,
    probe=_probe,
    extra="voicemesh-tts[espeak]",
)
