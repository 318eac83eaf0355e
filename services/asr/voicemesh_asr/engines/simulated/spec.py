"""How the simulated recogniser announces itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from voicemesh.registry import EngineSpec, Probe
from voicemesh_asr.engines.simulated.settings import SimulatedSettings

if TYPE_CHECKING:
    from voicemesh_asr.engines.simulated.engine import SimulatedRecognizer


def _make(config: SimulatedSettings) -> SimulatedRecognizer:
    from voicemesh_asr.engines.simulated.engine import SimulatedRecognizer

    return SimulatedRecognizer(config)


SPEC = EngineSpec(
    name="simulated",
    summary="Says set texts after set delays, without CPU: for planning capacity",
    licence="Apache-2.0",
    config_type=SimulatedSettings,
    factory=_make,
    probe=lambda: Probe(True, "part of voicemesh"),
)
