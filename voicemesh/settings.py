"""Settings: defaults, then voicemesh.toml, then the environment, then flags.

Each room announces the model of its section under the entry-point group
``voicemesh.settings``. Unknown keys are errors. Every value remembers where it
came from, for ``voicemesh config``.

The environment spells ``[asr] engine`` as ``VOICEMESH_ASR__ENGINE`` and
``[asr.pocketsphinx] workers`` as ``VOICEMESH_ASR__POCKETSPHINX__WORKERS``; a
value that begins with ``[`` or ``{`` is read as JSON. Rooms announce variables with
names of their own under ``voicemesh.environment``: each is the path of the setting
that it is short for, or empty where somebody else than this module reads it.
"""

from __future__ import annotations

import json
import os
import tomllib
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar, cast

from pydantic import BaseModel, ConfigDict, Field, ValidationError, create_model

from voicemesh.errors import SettingsError
from voicemesh.registry import (
    EngineSpec,
    config_field,
    engine_specs,
    installed,
    installed_names,
    installed_one,
)
from voicemesh.settings_errors import Wrong, nearest

CONFIG_FILE = "voicemesh.toml"
ENV_PREFIX = "VOICEMESH_"
CONFIG_ENV = "VOICEMESH_CONFIG"
ENVIRONMENT = "voicemesh.environment"
"""The entry-point group of variables with names of their own."""
SECTIONS = "voicemesh.settings"
"""The entry-point group of the sections."""

S = TypeVar("S", bound="Section")
E = TypeVar("E", bound=BaseModel)


class Section(BaseModel):
    """Base of every settings model: frozen, and unknown keys are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True)


def _models_folder() -> Path:
    data = os.environ.get("XDG_DATA_HOME", "")
    return (Path(data) if data else Path.home() / ".local/share") / "voicemesh/models"


class MeshSettings(Section):
    """``[mesh]``: what holds for every process of the mesh."""

    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="The least serious level that is logged. debug may log text."
    )
    log_format: Literal["text", "json"] = Field(
        "text", description="One line for people, or one JSON object a line for collectors."
    )
    languages: tuple[str, ...] = Field(
        ("en",),
        min_length=1,
        description="BCP-47 tags of the languages that people speak to the robots and that they "
        "answer, the usual one first. Where an engine is set to auto, it is chosen by them.",
    )
    models_folder: Path = Field(
        default_factory=_models_folder,
        description="Where models lie that `voicemesh models pull` brings, one folder each. The "
        "default is the user's own data folder, so that all checkouts share them.",
    )
    models_catalogue: Path | None = Field(
        None,
        description="A TOML file of more models, of the form of the kit's models/catalogue.toml; "
        "those of the same name stand instead of ours. None by default: ours is enough.",
    )
    watchdog_s: float = Field(
        6.0,
        ge=0,
        le=600,
        description="A service that serves and then says nothing for so many seconds, not even "
        "how it is, is killed and started again; 0: never. Busy ones answer within a second: "
        "models do not run where answers are given.",
    )
    tracing_endpoint: str = Field(
        "",
        description="OTLP/gRPC collector, such as http://127.0.0.1:4317; empty: no traces. "
        "Off by default because most machines have no collector.",
    )


class ServerSettings(Section):
    """What every service's section has. Rooms subclass it with their ports."""

    host: str = Field(
        "127.0.0.1", description="Address to bind. Loopback, so that nothing is open by accident."
    )
    port: int = Field(ge=0, le=65535, description="gRPC port; 0: any free one.")
    metrics_port: int = Field(
        ge=-1, le=65535, description="Prometheus port; 0: any free one, -1: no metrics server."
    )
    drain_grace_s: float = Field(
        30.0,
        ge=0,
        le=3600,
        description="Seconds that live streams may go on after SIGTERM; then they are cut. Longer "
        "than a usual question with its answer: the demonstration's answer takes 22 s.",
    )


def with_engines(base: type[S], group: str) -> type[S]:
    """``base`` with one sub-section for every engine installed under ``group``."""
    fields: dict[str, Any] = {
        config_field(name): (
            spec.config_type,
            Field(default_factory=spec.config_type, description=f"Engine {name}: {spec.summary}"),
        )
        for name, spec in engine_specs(group).items()
    }
    return cast(type[S], create_model(base.__name__, __base__=base, __doc__=base.__doc__, **fields))


def engine_config(section: Section, spec: EngineSpec) -> Any:
    """The settings of ``spec``'s engine within its room's section."""
    return getattr(section, config_field(spec.name))


@dataclass(frozen=True)
class Value:
    """A setting as ``voicemesh config`` prints it."""

    path: str
    value: Any
    source: str
    description: str


class Settings:
    """The sections of the rooms installed here, validated."""

    def __init__(
        self,
        sections: Mapping[str, Section],
        sources: Mapping[str, str],
        elsewhere: Sequence[str] = (),
    ) -> None:
        """``sources`` maps dotted paths to where the value came from.

        ``elsewhere``: sections that are set, and that no room installed here reads.
        """
        self._sections = dict(sections)
        self._sources = dict(sources)
        self.elsewhere = tuple(elsewhere)

    def unread(self) -> str:
        """A sentence on sections that nothing here reads; empty where there are none."""
        names = ", ".join(f"[{name}]" for name in self.elsewhere)
        return f"no room installed here reads {names}" if names else ""

    def section(self, name: str, kind: type[S]) -> S:
        """The section ``name``, which is of type ``kind``."""
        found = self._sections.get(name)
        if not isinstance(found, kind):
            raise SettingsError(f"no installed room has a section [{name}]")
        return found

    def sections(self) -> Iterator[tuple[str, Section]]:
        """Every section with its name."""
        yield from self._sections.items()

    @property
    def mesh(self) -> MeshSettings:
        """The section ``[mesh]``."""
        return self.section("mesh", MeshSettings)

    def values(self) -> Iterator[Value]:
        """Every setting with its value and its source."""
        for name, section in self._sections.items():
            yield from self._walk(name, section)

    def _walk(self, prefix: str, section: BaseModel) -> Iterator[Value]:
        for name, info in type(section).model_fields.items():
            path = f"{prefix}.{name}"
            value = getattr(section, name)
            if isinstance(value, BaseModel):
                yield from self._walk(path, value)
            else:
                yield Value(path, value, self._source(path), info.description or "")

    def _source(self, path: str) -> str:
        """Where a value came from; a table's keys were each put in by themselves."""
        inner = (source for key, source in self._sources.items() if key.startswith(f"{path}."))
        return self._sources.get(path) or next(inner, "default")


class _Layers:
    """Nested values merged from several sources; later ones win."""

    def __init__(self) -> None:
        self.tree: dict[str, Any] = {}
        self.sources: dict[str, str] = {}

    def put(self, path: tuple[str, ...], value: Any, source: str) -> None:
        node = self.tree
        for part in path[:-1]:
            child = node.setdefault(part, {})
            if not isinstance(child, dict):
                raise SettingsError(f"{source}: {'.'.join(path)} is inside a value, not a section")
            node = child
        node[path[-1]] = value
        self.sources[".".join(path)] = source

    def put_tree(self, prefix: tuple[str, ...], tree: Mapping[str, Any], source: str) -> None:
        for key, value in tree.items():
            if isinstance(value, dict) and value:
                self.put_tree((*prefix, key), value, source)
            else:
                self.put((*prefix, key), value, source)


def _plain(text: str, source: str) -> Any:
    if text[:1] not in ("[", "{"):
        return text
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise SettingsError(f'{source}: not valid JSON ({error}); quote it as ["a", "b"]') from None


def _file_layer(layers: _Layers, path: Path | None, environ: Mapping[str, str]) -> None:
    named = path or (Path(environ[CONFIG_ENV]) if environ.get(CONFIG_ENV) else None)
    chosen = named or Path(CONFIG_FILE)
    if not chosen.is_file():
        if named is not None:
            raise SettingsError(f"settings file {chosen} does not exist")
        return
    try:
        tree = tomllib.loads(chosen.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{chosen}: {error}") from None
    for name, section in tree.items():
        if not isinstance(section, dict):
            raise SettingsError(f"{chosen}: {name} stands outside of a section such as [asr]")
        layers.tree.setdefault(name, {})  # An empty section has a name to check, too.
        layers.put_tree((name,), section, str(chosen))


def _environment_layer(layers: _Layers, environ: Mapping[str, str]) -> None:
    for key, text in sorted(environ.items()):
        if not key.startswith(ENV_PREFIX) or key == CONFIG_ENV:
            continue
        if "__" in key:
            path = tuple(key.removeprefix(ENV_PREFIX).lower().split("__"))
            layers.put(path, _plain(text, key), f"environment {key}")
            continue
        if key not in installed_names(ENVIRONMENT):
            raise SettingsError(
                f"environment {key} names no setting; two underscores stand between section and "
                f"name, as in {ENV_PREFIX}ASR__ENGINE"
            )
        short_for: str = installed_one(ENVIRONMENT, key)
        if short_for:
            layers.put(tuple(short_for.split(".")), text, f"environment {key}")


def load(
    path: Path | None = None,
    environ: Mapping[str, str] = os.environ,
    flags: Mapping[str, str] | None = None,
    only: Collection[str] | None = None,
) -> Settings:
    """Read the settings; SettingsError names the wrong one and its source.

    ``path`` is the file (default: ``$VOICEMESH_CONFIG``, else voicemesh.toml in
    the working folder if it exists); ``flags`` maps dotted paths to texts. ``only``
    names the sections that are wanted, None all: the rooms of others are not imported,
    and what is set for them is not looked at.
    """
    layers = _Layers()
    _file_layer(layers, path, environ)
    _environment_layer(layers, environ)
    for dotted, text in (flags or {}).items():
        layers.put(
            tuple(dotted.split(".")), _plain(text, f"--set {dotted}"), f"flag --set {dotted}"
        )
    models = _models(only)
    elsewhere = _sections_elsewhere(layers, {dotted.partition(".")[0] for dotted in flags or ()})
    for name in elsewhere:
        for section, model in models.items():
            if name in model.model_fields:
                raise SettingsError(f"unknown section [{name}]; did you mean [{section}.{name}]?")
    sections = {
        name: _validated(name, model, layers.tree.get(name, {}), layers.sources)
        for name, model in models.items()
    }
    return Settings(sections, layers.sources, elsewhere)


def defaults(only: Collection[str] | None = None) -> Settings:
    """The settings as they are where nobody has set anything; ``only`` as for ``load``."""
    return Settings(
        {name: _validated(name, model, {}, {}) for name, model in _models(only).items()}, {}
    )


def _sections_elsewhere(layers: _Layers, flagged: Collection[str]) -> list[str]:
    """The sections that are set and that no room installed here announces.

    A file, or an environment, may be shared with machines where other rooms are
    installed. What resembles a section of this machine is a slip nevertheless, and so is
    what a flag names, which is meant for this machine.
    """
    known = installed_names(SECTIONS)
    unknown = [name for name in layers.tree if name not in known]
    for name in unknown:
        near = nearest(name, known)
        if near or name in flagged:
            meant = f"did you mean [{near}]? " if near else ""
            raise SettingsError(
                f"unknown section [{name}]; {meant}the sections are: {', '.join(known)}"
            )
    return unknown


def _models(only: Collection[str] | None) -> dict[str, type[Section]]:
    return {
        name: cast(type[Section], model if isinstance(model, type) else model())
        for name, model in installed(SECTIONS, only).items()
    }


def _validated(
    name: str, model: type[Section], tree: dict[str, Any], sources: Mapping[str, str]
) -> Section:
    try:
        return model.model_validate(tree)
    except ValidationError as error:
        wrong = Wrong(error, model)
        path = ".".join((name, *wrong.place))
        source = _origin(path, sources)
        if wrong.is_unknown:
            near = wrong.suggestion()
            meant = f"did you mean {name}.{near}? " if near else ""
            raise SettingsError(
                f"unknown setting {path} (from {source}); {meant}`voicemesh config` lists all",
                field=path,
            ) from None
        raise SettingsError(f"{path} (from {source}): {wrong.sentence()}", field=path) from None


def _origin(path: str, sources: Mapping[str, str]) -> str:
    """Who has set a value: itself, what it is a part of, or the first of its parts."""
    whole = path
    while whole and whole not in sources:
        whole = whole.rpartition(".")[0]
    parts = (source for key, source in sources.items() if key.startswith(f"{path}."))
    return sources.get(whole) or next(parts, "default")
