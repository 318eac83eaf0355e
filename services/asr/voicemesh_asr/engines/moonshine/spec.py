"""How Moonshine announces itself."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from voicemesh.models.store import ModelStore
from voicemesh.registry import EngineSpec, Probe, probe_import
from voicemesh_asr.engines.moonshine.settings import EXTRA, MODEL, MoonshineSettings

if TYPE_CHECKING:
    from voicemesh.settings import Settings
    from voicemesh_asr.engines.moonshine.engine import Moonshine


def _make(config: MoonshineSettings, mesh: Settings) -> Moonshine:
    from voicemesh_asr.engines.moonshine.engine import Moonshine

    return Moonshine(config, folder_of(config, mesh))


def folder_of(config: MoonshineSettings, mesh: Settings) -> Path:
    """Where the model lies or would lie."""
    return config.model or ModelStore.of(mesh).path(MODEL)


def _check(config: MoonshineSettings, mesh: Settings) -> Probe:
    folder = folder_of(config, mesh)
    if folder.is_dir():
        return Probe(True, f"{folder} is there")
    return Probe(False, f"{folder} is missing", f"voicemesh models pull {MODEL}")


SPEC = EngineSpec(
    name="moonshine",
    summary="English, 43 MB; quick, robust, with punctuation; from `voicemesh models`",
    licence="MIT",
    config_type=MoonshineSettings,
    factory=_make,
    probe=lambda: probe_import("onnxruntime", "onnxruntime", EXTRA),
    check=_check,
    extra=EXTRA,
    takes_settings=True,
)
