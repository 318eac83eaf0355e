"""Which engines the voices are to come from, and what is missing for them."""

from __future__ import annotations

from dataclasses import dataclass

from voicemesh.errors import SettingsError, VoiceMeshError
from voicemesh.registry import EngineSpec, Probe, engine_spec
from voicemesh.settings import Settings, engine_config
from voicemesh_tts.engines.auto.settings import AutoSettings
from voicemesh_tts.settings import ENGINES, TtsSettings
from voicemesh_tts.text.scripts import primary

FALLBACK = "embedded"


@dataclass(frozen=True)
class Wanted:
    """An engine that is wanted for some of the languages that are spoken here."""

    spec: EngineSpec
    languages: tuple[str, ...]
    """Primary BCP-47 languages."""
    probe: Probe
    """Whether it can speak here, as far as is known without loading it."""


def languages(settings: Settings) -> tuple[str, ...]:
    """The primary languages that are spoken here, the usual one first."""
    tags = (*settings.mesh.languages, settings.section("tts", TtsSettings).language)
    return tuple(dict.fromkeys(map(primary, tags)))


def wanted(config: AutoSettings, settings: Settings) -> list[Wanted]:
    """The preferred engines for the languages that are spoken here.

    English is always among them: it is the language of Latin letters in any other.
    """
    by_engine: dict[str, list[str]] = {}
    for language in dict.fromkeys((*languages(settings), "en")):
        name = config.preferred.get(language, FALLBACK)
        if name == "auto":
            raise SettingsError("auto cannot choose itself", field="tts.auto.preferred")
        if name != FALLBACK:
            by_engine.setdefault(name, []).append(language)
    found = []
    for name, spoken in by_engine.items():
        spec = engine_spec(ENGINES, name, "tts.auto.preferred")
        found.append(Wanted(spec, tuple(spoken), _probe(spec, settings)))
    return found


def _probe(spec: EngineSpec, settings: Settings) -> Probe:
    """What it lacks here, before it is loaded."""
    if spec.device:
        raise SettingsError(
            f"{spec.name} works on a device; name it by tts.engine", field="tts.auto.preferred"
        )
    probe = spec.probe()
    if not probe.usable:
        return probe
    section = settings.section("tts", TtsSettings)
    try:
        return spec.checked(engine_config(section, spec), settings) or probe
    except (VoiceMeshError, OSError) as error:
        return Probe(False, str(error))
