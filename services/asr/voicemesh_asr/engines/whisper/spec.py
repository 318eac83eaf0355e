"""How Whisper on a processor announces itself."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from voicemesh.language_tags import primary_language
from voicemesh.registry import EngineSpec, Probe, probe_import
from voicemesh_asr.engines.redecoding.model_folder import ModelFolder
from voicemesh_asr.engines.whisper.settings import EXTRA, FILES, MODEL, WhisperSettings

if TYPE_CHECKING:
    from voicemesh.settings import Settings
    from voicemesh_asr.engines.whisper.engine import WhisperEngine


_MODEL = ModelFolder(MODEL, FILES, "asr.whisper.model")


def _make(config: WhisperSettings, mesh: Settings) -> WhisperEngine:
    from voicemesh_asr.engines.whisper.engine import WhisperEngine

    folder = _MODEL.find(config.model, mesh)
    return WhisperEngine(config, folder, config.languages or mesh.mesh.languages)


def _probe() -> Probe:
    return _all(probe_import(name, name, EXTRA) for name in ("ctranslate2", "tokenizers"))


def _check(config: WhisperSettings, mesh: Settings) -> Probe:
    found = [_MODEL.probe(config.model, mesh)]
    if config.simplified and "zh" in map(primary_language, config.languages or mesh.mesh.languages):
        found.append(probe_import("opencc", "opencc", EXTRA))
    return _all(found)


def _all(probes: Iterable[Probe]) -> Probe:
    """The first that is not usable, or the first."""
    found = list(probes)
    return next((probe for probe in found if not probe.usable), found[0])


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
