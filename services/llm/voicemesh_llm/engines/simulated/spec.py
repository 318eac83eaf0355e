"""Announces the simulated engine."""

from typing import Any

from voicemesh.registry import EngineSpec, Probe
from voicemesh_llm.engines.simulated.settings import SimulatedSettings


def _make(settings: SimulatedSettings) -> Any:
    from voicemesh_llm.engines.simulated.engine import SimulatedModel

    return SimulatedModel(settings)


SPEC = EngineSpec(
    name="simulated",
    summary="writes set replies at a set pace, without CPU: for planning capacity",
    licence="Apache-2.0",
    config_type=SimulatedSettings,
    factory=_make,
    probe=lambda: Probe(True, "part of voicemesh"),
)
