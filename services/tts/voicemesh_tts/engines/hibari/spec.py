"""How the engine ``hibari`` announces itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from voicemesh.registry import EngineSpec, Probe, probe_import
from voicemesh_tts.engines.hibari.settings import HibariSettings

if TYPE_CHECKING:
    from voicemesh_tts.engines.hibari.engine import Hibari

_EXTRA = "voicemesh-tts[hibari]"


def _make(settings: HibariSettings) -> Hibari:
    from voicemesh_tts.engines.hibari.engine import Hibari

    return Hibari(settings)


def _probe() -> Probe:
    return probe_import("hibari", "hibari-tts", _EXTRA)


SPEC = EngineSpec(
    name="hibari",
    summary="a neural English voice, 24 kHz, a hundred times faster than real time on one core",
    licence="Apache-2.0",
    config_type=HibariSettings,
    factory=_make,
    probe=_probe,
    extra=_EXTRA,
)
