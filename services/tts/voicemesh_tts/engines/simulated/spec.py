"""Announces the engine ``simulated``: its settings."""

from __future__ import annotations

from voicemesh.registry import EngineSpec, Probe
from voicemesh_tts.engines.engine import Synthesizer
from voicemesh_tts.engines.simulated.settings import SimulatedSettings


def _make(settings: SimulatedSettings) -> Synthesizer:
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
