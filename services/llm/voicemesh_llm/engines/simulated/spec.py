"""How the simulated engine announces itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from voicemesh.registry import EngineSpec, Probe
from voicemesh_llm.engines.simulated.settings import SimulatedSettings

if TYPE_CHECKING:
    from voicemesh_llm.engines.simulated.engine import SimulatedModel


def _make(settings: SimulatedSettings) -> SimulatedModel:
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
