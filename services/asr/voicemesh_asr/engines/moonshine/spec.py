"""How Moonshine announces itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from voicemesh.registry import EngineSpec, probe_import
from voicemesh_asr.engines.moonshine.settings import EXTRA, FILES, MODEL, MoonshineSettings
from voicemesh_asr.engines.redecoding.model_folder import ModelFolder

if TYPE_CHECKING:
    from voicemesh.settings import Settings
    from voicemesh_asr.engines.moonshine.engine import Moonshine


_MODEL = ModelFolder(MODEL, FILES, "asr.moonshine.model")


def _make(config: MoonshineSettings, mesh: Settings) -> Moonshine:
    from voicemesh_asr.engines.moonshine.engine import Moonshine

    return Moonshine(config, _MODEL.find(config.model, mesh))


SPEC = EngineSpec(
    name="moonshine",
    summary="English, 43 MB; quick, robust, with punctuation; from `voicemesh models`",
    licence="MIT",
    config_type=MoonshineSettings,
    factory=_make,
    probe=lambda: probe_import("onnxruntime", "onnxruntime", EXTRA),
    check=lambda config, mesh: _MODEL.probe(config.model, mesh),
    extra=EXTRA,
    takes_settings=True,
)
