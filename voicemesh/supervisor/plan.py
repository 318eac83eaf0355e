"""What a mesh runs: its services, their addresses, and how they find each other."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import mkdtemp

from voicemesh.core_plan import wrong_cores
from voicemesh.devices import DeviceKind, PlannedOwner, kind_of
from voicemesh.engine_choices import main_engines, wrong_choices
from voicemesh.errors import NotFound, PortTaken, SettingsError
from voicemesh.registry import installed
from voicemesh.server.service import ServiceSpec
from voicemesh.settings import ServerSettings, Settings, load
from voicemesh.supervisor.health import answers, serving
from voicemesh.supervisor.occupant import occupant
from voicemesh.supervisor.ports import HeldPort, dialled, hold_free


@dataclass(frozen=True)
class PlannedService:
    """One service of the mesh."""

    spec: ServiceSpec
    host: str
    port: int
    metrics_port: int
    """-1: no metrics server."""
    drain_grace_s: float
    held: tuple[HeldPort, ...] = field(default=(), repr=False, compare=False)
    """Its ports, kept from others."""

    @property
    def name(self) -> str:
        """What people call it."""
        return self.spec.name

    @property
    def drawn(self) -> bool:
        """Whether other ports would do as well."""
        return all(port.drawn for port in self.held)

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

    def command(self, settings: Sequence[str], instance: str) -> list[str]:
        """Its command line. Its ports are open to it from now on."""
        for port in self.held:
            port.admit()
        # -P: what lies in the folder where it is started is none of its modules.
        serve = (sys.executable, "-P", "-m", "voicemesh", "serve", self.name)
        return [*serve, "--parent", str(os.getpid()), "--instance", instance, *settings]

    async def ready(self, instance: str) -> None:
        """Wait until the process of that name says SERVING."""
        await serving(self.target, instance)

    async def answers(self, within_s: float) -> bool:
        """Whether it says anything at all in that time."""
        return await answers(self.target, within_s)


@dataclass(frozen=True)
class Plan:
    """The services, and the settings that every one of them is started with."""

    services: tuple[PlannedService, ...]
    owners: tuple[PlannedOwner, ...]
    """The owners of the devices that the services' engines work on."""
    config: Path | None
    flags: Mapping[str, str]
    folders: tuple[Path, ...]
    """Made for the owners of this mesh alone."""
    watchdog_s: float
    """After how long without an answer a service is replaced; 0: never."""
    elsewhere: Mapping[str, str] = field(default_factory=dict)
    """The targets of services that are asked for here and run elsewhere, by name."""

    def close(self) -> None:
        """Give up the ports, and the folders that were made for this mesh."""
        for service in self.services:
            for port in service.held:
                port.close()
        for folder in self.folders:
            shutil.rmtree(folder, ignore_errors=True)

    def arguments(self) -> list[str]:
        """The settings as arguments of ``voicemesh serve``."""
        config = ["--config", str(self.config)] if self.config else []
        return [*config, *(f"--set={path}={value}" for path, value in self.flags.items())]


def make_plan(
    names: Sequence[str], config: Path | None, flags: Mapping[str, str], ephemeral: bool
) -> Plan:
    """Plan the services ``names``; where none is named, all of the mesh installed here.

    With ``ephemeral``, or where a port is 0, free ports are chosen here, because
    a service must come back on the port that it had. All ports are held until ``close``.
    SettingsError where a service would refuse its settings, PortTaken where a port is
    somebody's.
    """
    settings = load(config, flags=flags)
    chosen = _chosen(names)
    asked = {spec.name for spec in chosen}
    wrong = [
        *wrong_choices(settings, asked),
        *(f"{setting}: {problem}" for setting, problem in wrong_cores(settings, asked)),
    ]
    if wrong:
        raise SettingsError("; ".join(wrong))
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
        settings.mesh.watchdog_s,
        _elsewhere(services, settings),
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
    """The services with their ports, which are held; those that are to be drawn, together."""
    sections = {spec.name: settings.section(spec.name, ServerSettings) for spec in chosen}
    wanted = {
        f"{name}.{field}": 0 if ephemeral and port >= 0 else port
        for name, section in sections.items()
        for field, port in (("port", section.port), ("metrics_port", section.metrics_port))
    }
    hosts = {path: sections[path.partition(".")[0]].host for path in wanted}
    held: dict[str, HeldPort] = {}
    with ExitStack() as undo:
        for path, port in wanted.items():
            if port > 0:
                held[path] = _hold(hosts[path], port, path)
                undo.callback(held[path].close)
        free = [path for path, port in wanted.items() if port == 0]
        held.update(zip(free, hold_free([hosts[path] for path in free]), strict=True))
        undo.pop_all()
    return tuple(
        PlannedService(
            spec,
            sections[spec.name].host,
            held[f"{spec.name}.port"].port,
            held[metrics].port if (metrics := f"{spec.name}.metrics_port") in held else -1,
            sections[spec.name].drain_grace_s,
            tuple(port for path, port in held.items() if path.startswith(f"{spec.name}.")),
        )
        for spec in chosen
    )


def _hold(host: str, port: int, path: str) -> HeldPort:
    """The port that the setting ``path`` asks for; PortTaken tells who has it."""
    try:
        return HeldPort(host, port)
    except PortTaken:
        target = dialled(host, port)
        raise PortTaken(
            f"{target} is taken by {occupant(target)}, set {path} to a free port, "
            "or use --ephemeral",
            field=path,
        ) from None
    except SettingsError as error:
        raise SettingsError(error.message, field=f"{path.partition('.')[0]}.host") from None


def _elsewhere(services: Sequence[PlannedService], settings: Settings) -> dict[str, str]:
    """Where the services are dialled that these need and that are not among them."""
    here = {service.name for service in services}
    values = {value.path: str(value.value) for value in settings.values()}
    return {
        name: values[path]
        for service in services
        for name, path in service.spec.dials.items()
        if name not in here and values.get(path)
    }


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
