"""Which recogniser is meant by ``auto``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from voicemesh.language_tags import primary_language
from voicemesh.registry import EngineSpec, Probe, engine_specs
from voicemesh.settings import Section, Settings, engine_config
from voicemesh_asr.entry_point_groups import ENGINES

_ENGLISH = "en"


@dataclass(frozen=True)
class Choice:
    """The engine that serves."""

    engine: str
    wanted: str
    """The one that suits the languages best."""
    lacking: Probe | None = None
    """Why that one cannot serve; None: it does."""

    def __str__(self) -> str:
        """For people."""
        if self.lacking is None:
            return f"{self.engine} serves"
        instead = "nothing" if self.engine == self.wanted else self.engine
        return f"{instead} serves instead of {self.wanted}, because {self.lacking.reason}"


def candidates(languages: Sequence[str]) -> tuple[str, ...]:
    """Engines for what is spoken (BCP-47 tags), the best first.

    Moonshine hears English best and quickest, Whisper all languages. PocketSphinx brings its
    model in its wheel.
    """
    codes = {primary_language(tag) for tag in languages}
    if codes == {_ENGLISH}:
        return ("moonshine", "pocketsphinx")
    if _ENGLISH in codes:
        return ("whisper", "moonshine", "pocketsphinx")
    return ("whisper",)


def choose(settings: Settings) -> Choice:
    """The first candidate that can serve here; the best one where none can."""
    from voicemesh_asr.settings import AsrSettings

    section = settings.section("asr", AsrSettings)
    wanted, *others = candidates(settings.mesh.languages)
    specs = engine_specs(ENGINES)
    lacking = _lacking(specs[wanted], section, settings)
    if lacking is None:
        return Choice(wanted, wanted)
    usable = (name for name in others if _lacking(specs[name], section, settings) is None)
    return Choice(next(usable, wanted), wanted, lacking)


def _lacking(spec: EngineSpec, section: Section, settings: Settings) -> Probe | None:
    """Why an engine cannot serve here; None where it can."""
    probe = spec.probe()
    if probe.usable:
        probe = spec.checked(engine_config(section, spec), settings) or probe
    return None if probe.usable else probe
