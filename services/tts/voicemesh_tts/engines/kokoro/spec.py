"""How the engine ``kokoro`` announces itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from voicemesh.registry import EngineSpec, Probe, probe_import
from voicemesh_tts.engines.kokoro.settings import MODEL, KokoroSettings

if TYPE_CHECKING:
    from voicemesh.settings import Settings
    from voicemesh_tts.engines.kokoro.engine import Kokoro

_EXTRA = "voicemesh-tts[kokoro]"


def _make(config: KokoroSettings, settings: Settings) -> Kokoro:
    from voicemesh.models.store import ModelStore
    from voicemesh_tts.engines.kokoro.engine import Kokoro
    from voicemesh_tts.settings import TtsSettings

    service = settings.section("tts", TtsSettings)
    alone = service.engine == SPEC.name
    return Kokoro(config, ModelStore.of(settings), service, alone=alone)


def _check(config: KokoroSettings, settings: Settings) -> Probe:
    from voicemesh.models.store import ModelStore

    store = ModelStore.of(settings)
    if store.has(MODEL):
        return Probe(True, f"the model {MODEL} is in {store.folder}")
    return Probe(
        False,
        f"the model {MODEL} is not in {store.folder}",
        f"voicemesh models pull {MODEL}",
    )


def _probe() -> Probe:
    for module, package in (("onnxruntime", "onnxruntime"), ("pypinyin", "pypinyin")):
        probe = probe_import(module, package, _EXTRA)
        if not probe.usable:
            return probe
    return Probe(True, "onnxruntime and pypinyin are installed")


SPEC = EngineSpec(
    name="kokoro",
    summary="Kokoro-82M for Mandarin, 24 kHz, half of real time on one core of a server",
    licence="Apache-2.0; pypinyin: MIT",
    config_type=KokoroSettings,
    factory=_make,
    probe=_probe,
    check=_check,
    extra=_EXTRA,
    takes_settings=True,
)
