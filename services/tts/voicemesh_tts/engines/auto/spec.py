"""How the engine ``auto`` announces itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from voicemesh.registry import EngineSpec, Probe
from voicemesh_tts.engines.auto.settings import AutoSettings

if TYPE_CHECKING:
    from voicemesh.settings import Settings
    from voicemesh_tts.engines.auto.engine import Auto


def _make(config: AutoSettings, settings: Settings) -> Auto:
    from voicemesh_tts.engines.auto.engine import Auto

    return Auto(config, settings)


def _check(config: AutoSettings, settings: Settings) -> Probe:
    from voicemesh_tts.engines.auto.choice import FALLBACK, wanted

    parts = []
    for engine in wanted(config, settings):
        spoken = " and ".join(engine.languages)
        if engine.probe.usable:
            parts.append(f"{engine.spec.name} speaks {spoken}")
            continue
        cure = f" ({engine.probe.cure})" if engine.probe.cure else ""
        parts.append(f"{FALLBACK} speaks {spoken}, because {engine.probe.reason}{cure}")
    return Probe(True, "; ".join(parts))


def _parts(settings: Settings) -> list[str]:
    from voicemesh.settings import engine_config
    from voicemesh_tts.engines.auto.choice import FALLBACK, wanted
    from voicemesh_tts.settings import TtsSettings

    config: AutoSettings = engine_config(settings.section("tts", TtsSettings), SPEC)
    return [*(w.spec.name for w in wanted(config, settings) if w.probe.usable), FALLBACK]


SPEC = EngineSpec(
    name="auto",
    summary="for each language the best voice that is here: hibari for English, kokoro for "
    "Mandarin, else flite and espeak-ng",
    licence="those of the engines that it chooses",
    config_type=AutoSettings,
    factory=_make,
    probe=lambda: Probe(True, "part of voicemesh"),
    check=_check,
    takes_settings=True,
    parts=_parts,
    tags=frozenset({"default"}),
)
