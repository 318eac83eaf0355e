"""What is installed, found by entry point without importing a room.

An engine is announced by an :class:`EngineSpec` under an entry-point group such
as ``voicemesh.asr_engines``. The module that holds the spec must be light: it
names the engine's settings and a factory; the engine's library is imported by
the factory, when the engine is chosen.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import TYPE_CHECKING, Any

from voicemesh.errors import SettingsError

if TYPE_CHECKING:
    from pydantic import BaseModel


@dataclass(frozen=True)
class Probe:
    """Whether something can be used here, and the cure where it cannot."""

    usable: bool
    reason: str
    cure: str = ""
    """What to do; where it can be used all the same, what to do for the better."""


@dataclass(frozen=True)
class EngineSpec:
    """An engine as its room announces it."""

    name: str
    """What settings call it."""
    summary: str
    """One line for people."""
    licence: str
    """SPDX identifier of the engine and what it carries."""
    config_type: type[BaseModel]
    """Its settings; a section of their own within the room's section."""
    factory: Callable[..., Any]
    """Makes the engine from its settings, its placement where it works on a ``device``, and the
    mesh's settings where it ``takes_settings``, in this order; imports its library."""
    probe: Callable[[], Probe]
    """Looks whether it can run here, without loading a model."""
    check: Callable[..., Probe] | None = None
    """Looks whether it can work with its settings (and the mesh's, as the factory): files
    exist and are what it can work with, servers answer. At most a few seconds; asked by the
    doctor, and by ``voicemesh plan`` for engines on a device, for the engine that is chosen."""
    extra: str = ""
    """What pip installs for its library, such as ``voicemesh-asr[sophon]``."""
    tags: frozenset[str] = field(default_factory=frozenset)
    """What else is worth knowing: "default", "remote", "tpu"."""
    device: str = ""
    """The kind of device that it works on, as announced under ``voicemesh.devices``; empty:
    the processors of its own process."""
    takes_settings: bool = False
    """Whether factory and check want the settings of the whole mesh too: where models are
    kept, which languages are spoken, how sibling engines are set."""
    stands_for: Callable[[Any], str] | None = None
    """Names the engine that is meant where settings name this one, by the mesh's Settings;
    None: itself."""
    parts: Callable[[Any], Collection[str]] | None = None
    """Names the engines of its group that it works with, such as one for each language; None:
    it works by itself."""

    def make(self, config: Any, placement: Any = None, settings: Any = None) -> Any:
        """The engine; ``placement`` is where on its ``device`` it sits, ``settings`` the mesh's."""
        where = (placement,) if self.device else ()
        mesh = (settings,) if self.takes_settings else ()
        return self.factory(config, *where, *mesh)

    def checked(self, config: Any, settings: Any) -> Probe | None:
        """What its check says of its settings; None: it has none."""
        if self.check is None:
            return None
        return self.check(config, settings) if self.takes_settings else self.check(config)


@cache
def engine_specs(group: str) -> dict[str, EngineSpec]:
    """The engines announced under an entry-point group, by name."""
    specs: dict[str, EngineSpec] = {}
    for entry in sorted(entry_points(group=group), key=lambda e: e.name):
        spec = _loaded(entry)
        if not isinstance(spec, EngineSpec):
            raise SettingsError(f"entry point {entry.value} of {group} is no EngineSpec")
        if spec.name in specs:
            raise SettingsError(f"two engines of {group} are named {spec.name}; remove one")
        specs[spec.name] = spec
    return specs


def engine_spec(group: str, name: str, setting: str) -> EngineSpec:
    """The engine that ``setting`` names; SettingsError tells those that exist."""
    specs = engine_specs(group)
    if name not in specs:
        known = ", ".join(specs) or "none"
        raise SettingsError(
            f"{setting} = {name!r}: there is no such engine; installed are: {known}",
            field=setting,
        )
    return specs[name]


def config_field(name: str) -> str:
    """The settings field of an engine: ``sophon-vits`` becomes ``sophon_vits``."""
    return name.replace("-", "_")


def installed_names(group: str) -> list[str]:
    """The names announced under an entry-point group, without importing anything."""
    return sorted(entry.name for entry in entry_points(group=group))


def installed_one(group: str, name: str) -> Any:
    """The object announced under a name of an entry-point group, which must exist.

    Only its own package is imported: a service's process holds no other room.
    """
    (entry,) = entry_points(group=group, name=name)
    return _loaded(entry)


def installed(group: str, only: Collection[str] | None = None) -> dict[str, Any]:
    """The objects announced under an entry-point group, by entry name; ``only`` names some."""
    entries = sorted(entry_points(group=group), key=lambda entry: entry.name)
    return {entry.name: _loaded(entry) for entry in entries if only is None or entry.name in only}


def _loaded(entry: EntryPoint) -> Any:
    """What an entry point announces; SettingsError where its package is broken."""
    try:
        return entry.load()
    except (ImportError, AttributeError) as error:
        package = entry.dist.name if entry.dist else entry.module
        raise SettingsError(
            f"{entry.group} {entry.name} cannot be loaded from {entry.value} ({error}); "
            f"install {package} again, or uninstall it"
        ) from error


def probe_import(module: str, package: str, extra: str = "") -> Probe:
    """A probe for an engine that needs one Python module."""
    from importlib.util import find_spec

    try:
        found = find_spec(module) is not None
    except ModuleNotFoundError:  # The package that the module is in is missing.
        found = False
    if found:
        return Probe(True, f"{package} is installed")
    what = f"'{extra}'" if extra else package  # Some shells take brackets for a pattern.
    return Probe(False, f"{package} is not installed", f"pip install {what}")
