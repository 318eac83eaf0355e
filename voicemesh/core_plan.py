"""Which engine is pinned to which cores, and where they are promised twice."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from itertools import combinations

from pydantic import BaseModel

from voicemesh.cores import OnCores, check_cores, spelled
from voicemesh.engine_choices import Choice, choices, meant_engine
from voicemesh.errors import SettingsError
from voicemesh.registry import EngineSpec, config_field, engine_spec, engine_specs
from voicemesh.settings import Settings, engine_config


@dataclass(frozen=True)
class CoreClaim:
    """An engine that works on the processor's cores."""

    service: str
    engine: str
    setting: str
    """The one that pins it, such as ``asr.pocketsphinx.cores``."""
    cores: tuple[int, ...]
    """Empty: any."""
    threads: int
    """How many may work at the same time."""


def core_claims(settings: Settings) -> list[CoreClaim]:
    """Of the engines that are chosen and installed here."""
    claims: dict[str, CoreClaim] = {}
    for choice in choices(settings):
        if choice.name not in engine_specs(choice.group):
            continue
        spec = meant_engine(choice.group, choice.name, choice.path, settings)
        parts = () if spec.parts is None else spec.parts(settings)
        for each in (spec, *(engine_spec(choice.group, name, choice.path) for name in parts)):
            claims |= {claim.setting: claim for claim in _of_engine(choice, each)}
    return list(claims.values())


def _of_engine(choice: Choice, spec: EngineSpec) -> Iterator[CoreClaim]:
    service = choice.path.partition(".")[0]
    section = f"{service}.{config_field(spec.name)}"
    for path, config in _on_cores(section, engine_config(choice.section, spec)):
        yield CoreClaim(service, spec.name, f"{path}.cores", config.cores, config.most_threads)


def _on_cores(path: str, config: BaseModel) -> Iterator[tuple[str, OnCores]]:
    """The settings of an engine, and of engines that it uses, where they work on cores."""
    if isinstance(config, OnCores):
        yield path, config
    for name, value in config:
        if isinstance(value, BaseModel):
            yield from _on_cores(f"{path}.{name}", value)


def wrong_cores(
    settings: Settings, services: Collection[str] | None = None
) -> Iterator[tuple[str, str]]:
    """Settings of cores that cannot be had, with a sentence each; ``services``: of these."""
    for claim in core_claims(settings):
        if services is None or claim.service in services:
            try:
                check_cores(claim.cores)
            except SettingsError as error:
                yield claim.setting, str(error)


def shared_cores(settings: Settings) -> Iterator[tuple[str, str]]:
    """Cores that are promised more than once: a setting that does so, and a sentence."""
    for one, other in combinations(core_claims(settings), 2):
        if shared := sorted({*one.cores} & {*other.cores}):
            yield (
                other.setting,
                f"{spelled(shared)} is promised to {one.setting} and to {other.setting}: they wait "
                "for each other; give each cores of its own",
            )
