"""How the engine ``simulated`` announces itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from voicemesh.registry import EngineSpec, Probe
from voicemesh_tts.engines.simulated.settings import SimulatedSettings

if TYPE_CHECKING:
    from voicemesh_tts.engines.simulated.engine import SimulatedVoice


def _make(settings: SimulatedSettings) -> SimulatedVoice:
    from voicemesh_tts.engines.simulated.engine import SimulatedVoice

    return SimulatedVoice(settings)


SPEC = EngineSpec(
    name="simulated",
    summary="hums for as long as the text would take to say, without CPU: for planning capacity",
    licence="Apache-2.0",
    config_type=SimulatedSettings,
    factory=_make,
    probe=lambda: Probe(True, "part of voicemesh"),
)
