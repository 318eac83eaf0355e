"""What a mesh runs: its services, their addresses, and how they find each other."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import mkdtemp

from voicemesh.devices import DeviceKind, PlannedOwner, kind_of
from voicemesh.engine_choices import main_engines
from voicemesh.errors import NotFound, SettingsError
from voicemesh.registry import installed
from voicemesh.server.service import ServiceSpec
from voicemesh.settings import ServerSettings, Settings, load
from voicemesh.supervisor.health import serving
from voicemesh.supervisor.ports import dialled, free_ports_on, is_free


@dataclass(frozen=True)
class PlannedService:
    """One service of the mesh."""

    spec: ServiceSpec
    host: str
    port: int
    metrics_port: int
    """-1: no metrics server."""
    drain_grace_s: float

    @property
    def name(self) -> str:
        """What people call it."""
        return self.spec.name

    @property
    def target(self) -> str:
        """Where to dial it from here."""
        return dialled(self.host, self.port)

    @property
    def metrics(self) -> str:
        """The URL of its metrics; empty where there are none."""
        if self.metrics_port < 0:
            return ""
        return f"http://{dialled(self.host, self.metrics_port)}/metrics"

    def command(self, settings: Sequence[str]) -> list[str]:
        """Its command line."""
        # -P: what lies in the folder where it is started is none of its modules.
        serve = (sys.executable, "-P", "-m", "voicemesh", "serve", self.name)
        return [*serve, "--parent", str(os.getpid()), *settings]

    async def ready(self) -> None:
        """Wait until it says SERVING."""
        await serving(self.target)


@dataclass(frozen=True)
class Plan:
    """The services, and the settings that every one of them is started with."""

    services: tuple[PlannedService, ...]
    owners: tuple[PlannedOwner, ...]
    """The owners of the devices that the services' engines work on."""
    config: Path | None
    flags: Mapping[str, str]
    folders: tuple[Path, ...]
    """Made for the owners of this mesh alone, and to be removed with it."""

    def arguments(self) -> list[str]:
        """The settings as arguments of ``voicemesh serve``."""
        config = ["--config", str(self.config)] if self.config else []
        return [*config, *(f"--set={path}={value}" for path, value in self.flags.items())]


def make_plan(
    names: Sequence[str], config: Path | None, flags: Mapping[str, str], ephemeral: bool
) -> Plan:
    """Plan the services ``names``; where none is named, all of the mesh installed here.

    With ``ephemeral``, or where a port is 0, free ports are chosen here, because
    a service must come back on the port that it had.
    """
    settings = load(config, flags=flags)
    chosen = _chosen(names)
    users = _users_of_devices(chosen, settings)
    folders: dict[str, str] = {}
    if ephemeral:
        wanted = {kind.folder_setting for kind in users} - {"", *flags}
        folders = {setting: mkdtemp(prefix="voicemesh-") for setting in sorted(wanted)}
        if folders:
            flags = {**flags, **folders}
            settings = load(config, flags=flags)
    services = _placed(chosen, settings, ephemeral)
    ports: dict[str, str] = {}
    for service in services:
        ports[f"{service.name}.port"] = str(service.port)
        ports[f"{service.name}.metrics_port"] = str(service.metrics_port)
    wired = _wires(services, settings, ephemeral)
    owners = [owner for kind, names in users.items() for owner in kind.owners(settings, names)]
    return Plan(
        services,
        tuple(owners),
        config,
        {**flags, **ports, **wired},
        tuple(Path(folder) for folder in folders.values()),
    )


def _users_of_devices(
    chosen: Sequence[ServiceSpec], settings: Settings
) -> dict[DeviceKind, list[str]]:
    """The services whose engines work on a device, by its kind."""
    engines = main_engines(settings)
    users: dict[DeviceKind, list[str]] = {}
    for service in chosen:
        kind = kind_of(engines[service.name]) if service.name in engines else None
        if kind is not None:
            users.setdefault(kind, []).append(service.name)
    return users


def _chosen(names: Sequence[str]) -> list[ServiceSpec]:
    specs: dict[str, ServiceSpec] = installed("voicemesh.services")
    for name in names:
        if name not in specs:
            there = ", ".join(specs) or "none"
            raise NotFound(f"no service {name!r} is installed here; installed are: {there}")
    if not specs:
        raise NotFound("no service is installed here; ./scripts/setup installs all of them")
    named = [specs[name] for name in dict.fromkeys(names)]
    return named or [spec for spec in specs.values() if spec.in_mesh]


def _placed(
    chosen: Sequence[ServiceSpec], settings: Settings, ephemeral: bool
) -> tuple[PlannedService, ...]:
    """The services with their ports; those that are to be drawn are drawn together."""
    planned = [_as_set(spec, settings, ephemeral) for spec in chosen]
    hosts = [
        service.host
        for service in planned
        for port in (service.port, service.metrics_port)
        if port == 0
    ]
    drawn = iter(free_ports_on(hosts))
    return tuple(
        replace(
            service,
            port=service.port or next(drawn),
            metrics_port=service.metrics_port or next(drawn),
        )
        for service in planned
    )


def _as_set(spec: ServiceSpec, settings: Settings, ephemeral: bool) -> PlannedService:
    """A service as the settings have it; a port that is to be drawn is 0."""
    name = spec.name
    section = settings.section(name, ServerSettings)
    port, metrics_port = section.port, section.metrics_port
    if ephemeral:
        port, metrics_port = 0, min(metrics_port, 0)
    elif port and not is_free(section.host, port):
        raise SettingsError(
            f"{dialled(section.host, port)} is taken by another process; "
            f"stop it, set {name}.port to a free one, or use --ephemeral",
            field=f"{name}.port",
        )
    return PlannedService(spec, section.host, port, metrics_port, section.drain_grace_s)


def _wires(
    services: Sequence[PlannedService], settings: Settings, ephemeral: bool
) -> dict[str, str]:
    """Where the services of this mesh find each other.

    A target that somebody has set stays, unless the ports are chosen here.
    """
    free = {value.path for value in settings.values() if ephemeral or value.source == "default"}
    targets = {service.name: service.target for service in services}
    return {
        path: targets[name]
        for service in services
        for name, path in service.spec.dials.items()
        if name in targets and path in free
    }
