"""How Smart Turn announces itself."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from voicemesh.errors import EngineMissing
from voicemesh.models.store import ModelStore
from voicemesh.registry import EngineSpec, Probe, probe_import
from voicemesh_asr.turn_detection.smart_turn.settings import (
    EXTRA,
    FILE,
    MODEL,
    SmartTurnSettings,
)

if TYPE_CHECKING:
    from voicemesh.settings import Settings
    from voicemesh_asr.turn_detection.smart_turn.engine import SmartTurn


def _weights(config: SmartTurnSettings, mesh: Settings) -> Path:
    """Where they lie; EngineMissing where none are set and the store has none."""
    return config.model or ModelStore.of(mesh).find(MODEL) / FILE


def _make(config: SmartTurnSettings, mesh: Settings) -> SmartTurn:
    from voicemesh_asr.turn_detection.smart_turn.engine import load

    return load(_weights(config, mesh), config.threads)


def _check(config: SmartTurnSettings, mesh: Settings) -> Probe:
    try:
        path = _weights(config, mesh)
    except EngineMissing as missing:
        return Probe(False, missing.message, f"voicemesh models pull {MODEL}")
    if path.is_file():
        return Probe(True, f"{path} is there")
    return Probe(False, f"{path} does not exist", "correct asr.smart_turn.model, or leave it unset")


SPEC = EngineSpec(
    name="smart-turn",
    summary="Hears by intonation whether a speaker has finished; 23 languages",
    licence="BSD-2-Clause",
    config_type=SmartTurnSettings,
    factory=_make,
    probe=lambda: probe_import("onnxruntime", "onnxruntime", EXTRA),
    check=_check,
    extra=EXTRA,
    takes_settings=True,
)
