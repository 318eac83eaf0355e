"""Settings that choose an engine: which there are, and what is chosen.

A room marks such a setting with the group of engines that it chooses among:

    engine: Annotated[str, EngineChoice("voicemesh.asr_engines")] = Field("auto", ...)
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass

from voicemesh.errors import SettingsError
from voicemesh.registry import EngineSpec, engine_spec, engine_specs
from voicemesh.settings import Section, Settings

MAIN_ENGINE = "engine"
"""The setting of a service's section that chooses the engine which does its work."""


@dataclass(frozen=True)
class EngineChoice:
    """Marks a setting that names an engine; empty chooses none."""

    group: str
    """The entry-point group that the engines are announced under."""
    dispensable: bool = False
    """Whether the service works without it, and says so."""


@dataclass(frozen=True)
class Choice:
    """A setting that chooses an engine, and its value."""

    section: Section
    """Of the room whose engine it is."""
    path: str
    """The setting, such as ``asr.engine``."""
    group: str
    dispensable: bool
    name: str
    """The engine that is chosen; empty: none. It may not be installed."""


def choices(settings: Settings) -> Iterator[Choice]:
    """All choices of the rooms installed here."""
    for name, section in settings.sections():
        for field, info in type(section).model_fields.items():
            for mark in info.metadata:
                if isinstance(mark, EngineChoice):
                    chosen = str(getattr(section, field))
                    path = f"{name}.{field}"
                    yield Choice(section, path, mark.group, mark.dispensable, chosen)


def wrong_choices(settings: Settings, sections: Collection[str] | None = None) -> Iterator[str]:
    """What is wrong with the names of the engines that are chosen, in a sentence each.

    ``sections``: of these alone; None: of all.
    """
    for choice in choices(settings):
        asked = sections is None or choice.path.partition(".")[0] in sections
        if choice.name and asked:
            try:
                engine_spec(choice.group, choice.name, choice.path)
            except SettingsError as error:
                yield str(error)


def meant_engine(group: str, name: str, setting: str, settings: Settings) -> EngineSpec:
    """The engine that is meant by ``name``, which may stand for another; SettingsError as there."""
    spec = engine_spec(group, name, setting)
    if spec.stands_for is None:
        return spec
    return engine_spec(group, spec.stands_for(settings), setting)


def main_engines(settings: Settings) -> dict[str, EngineSpec]:
    """The engines that do the work of services, by service; those that are not installed left out.

    Where an engine stands for another, the one that is meant.
    SettingsError where an engine's package is broken.
    """
    found: dict[str, EngineSpec] = {}
    for choice in choices(settings):
        service, _, field = choice.path.partition(".")
        if field == MAIN_ENGINE and choice.name in engine_specs(choice.group):
            found[service] = meant_engine(choice.group, choice.name, choice.path, settings)
    return found
