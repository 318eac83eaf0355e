"""How Smart Turn announces itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from voicemesh.registry import EngineSpec, Probe, probe_import
from voicemesh_asr.turn_detection.smart_turn.settings import EXTRA, SmartTurnSettings

if TYPE_CHECKING:
    from voicemesh_asr.turn_detection.smart_turn.engine import SmartTurn


def _make(config: SmartTurnSettings) -> SmartTurn:
    from voicemesh_asr.turn_detection.smart_turn.engine import load

    return load(config)


def _check(config: SmartTurnSettings) -> Probe:
    if config.model is not None and config.model.is_file():
        return Probe(True, f"{config.model} is there")
    return Probe(
        False, "asr.smart_turn.model names no file", "download the ONNX file of Smart Turn"
    )


SPEC = EngineSpec(
    name="smart-turn",
    summary="Hears by intonation whether a speaker has finished; 23 languages; weights apart",
    licence="BSD-2-Clause",
    config_type=SmartTurnSettings,
    factory=_make,
    probe=lambda: probe_import("onnxruntime", "onnxruntime", EXTRA),
    check=_check,
    extra=EXTRA,
)
