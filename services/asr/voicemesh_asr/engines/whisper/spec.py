"""How Whisper on a processor announces itself."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from voicemesh.models.store import ModelStore
from voicemesh.registry import EngineSpec, Probe, probe_import
from voicemesh_asr.engines.whisper.settings import EXTRA, MODEL, WhisperSettings

if TYPE_CHECKING:
    from voicemesh.settings import Settings
    from voicemesh_asr.engines.whisper.engine import WhisperEngine


def folder_of(config: WhisperSettings, mesh: Settings) -> Path:
    """Where the model lies or would lie."""
    return config.model or ModelStore.of(mesh).path(MODEL)


def _make(config: WhisperSettings, mesh: Settings) -> WhisperEngine:
    from voicemesh_asr.engines.whisper.engine import WhisperEngine

    return WhisperEngine(config, folder_of(config, mesh), config.languages or mesh.mesh.languages)


def _probe() -> Probe:
    found = [probe_import(name, name, EXTRA) for name in ("ctranslate2", "tokenizers")]
    return next((probe for probe in found if not probe.usable), found[0])


def _check(config: WhisperSettings, mesh: Settings) -> Probe:
    folder = folder_of(config, mesh)
    if folder.is_dir():
        return Probe(True, f"{folder} is there")
    return Probe(False, f"{folder} is missing", f"voicemesh models pull {MODEL}")


SPEC = EngineSpec(
    name="whisper",
    summary="99 languages, told apart; a third of a second on a core; from `voicemesh models`",
    licence="MIT",
    config_type=WhisperSettings,
    factory=_make,
    probe=_probe,
    check=_check,
    extra=EXTRA,
    takes_settings=True,
)
