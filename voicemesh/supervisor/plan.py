"""What a mesh runs: its services, their addresses, and how they find each other."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import mkdtemp
from typing import Protocol

from voicemesh.errors import NotFound, SettingsError, Unavailable
from voicemesh.registry import installed
from voicemesh.server.service import ServiceSpec
from voicemesh.settings import ServerSettings, Settings, load
from voicemesh.supervisor.health import serving
from voicemesh.supervisor.ports import dialled, free_ports, is_free
from voicemesh_sophon.devices import DevicesSettings
from voicemesh_sophon.owner_process import owner_command
from voicemesh_sophon.placement import Placement, devices_of, on_chip_engines, placements_of
from voicemesh_sophon.watch import ChipWatch

SOCKET_FOLDER = "devices.socket_folder"
_KNOCK_S = 0.05
FRONT = "orchestrator"
"""The service that clients talk to."""


class Planned(Protocol):
    """A process of the mesh."""

    @property
    def name(self) -> str:
        """What people call it."""

    @property
    def target(self) -> str:
        """Where it is reached from here."""

    @property
    def drain_grace_s(self) -> float:
        """How long it may take to stop, in seconds."""

    def command(self, settings: Sequence[str]) -> list[str]:
        """Its command line; ``settings`` are arguments for it."""

    async def ready(self) -> None:
        """Wait until it works, however long that takes."""


@dataclass(frozen=True)
class PlannedOwner:
    """The owner of a chip."""

    device: int
    devices: DevicesSettings
    drain_grace_s: float = 0.0

    @property
    def name(self) -> str:
        """What people call it."""
        return f"chip-{self.device}"

    @property
    def target(self) -> str:
        """Its socket."""
        return str(self.devices.socket(self.device))

    def command(self, settings: Sequence[str]) -> list[str]:
        """Its command line, which knows what it needs of the settings."""
        return owner_command(self.devices, self.device, os.getpid())

    async def ready(self) -> None:
        """Wait until it answers."""
        watch = ChipWatch(Placement("watch", self.devices.socket(self.device), self.device))
        while True:
            try:
                await watch.connect()
                break
            except Unavailable:
                await asyncio.sleep(_KNOCK_S)
        await watch.close()


@dataclass(frozen=True)
class PlannedService:
    """One service of the mesh."""

    name: str
    host: str
    port: int
    metrics_port: int
    """-1: no metrics server."""
    drain_grace_s: float

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
    """The owners of the chips that the services' engines sit on."""
    config: Path | None
    flags: Mapping[str, str]

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
    if ephemeral and SOCKET_FOLDER not in flags and on_chip_engines(settings):
        flags = {**flags, SOCKET_FOLDER: mkdtemp(prefix="voicemesh-")}
        settings = load(config, flags=flags)
    services = tuple(_placed(name, settings, ephemeral) for name in _chosen(names))
    ports: dict[str, str] = {}
    for service in services:
        ports[f"{service.name}.port"] = str(service.port)
        ports[f"{service.name}.metrics_port"] = str(service.metrics_port)
    wired = _wires(services, settings, ephemeral)
    owners = _owners(services, settings)
    return Plan(services, owners, config, {**flags, **ports, **wired})


def _owners(services: Sequence[PlannedService], settings: Settings) -> tuple[PlannedOwner, ...]:
    """One for each chip that an engine of these services sits on; SettingsError if it cannot."""
    named = {service.name for service in services}
    chips = {p.device for name, p in placements_of(settings).items() if name in named}
    return tuple(PlannedOwner(chip, devices_of(settings)) for chip in sorted(chips))


def _chosen(names: Sequence[str]) -> list[str]:
    specs: dict[str, ServiceSpec] = installed("voicemesh.services")
    known = list(specs)
    for name in names:
        if name not in known:
            there = ", ".join(known) or "none"
            raise NotFound(f"no service {name!r} is installed here; installed are: {there}")
    if not known:
        raise NotFound("no service is installed here; ./scripts/setup installs all of them")
    return list(dict.fromkeys(names)) or [name for name in known if specs[name].in_mesh]


def _placed(name: str, settings: Settings, ephemeral: bool) -> PlannedService:
    section = settings.section(name, ServerSettings)
    planned = PlannedService(
        name, section.host, section.port, section.metrics_port, section.drain_grace_s
    )
    if ephemeral or planned.port == 0:
        (port,) = free_ports(1)
        planned = replace(planned, port=port)
    elif not is_free(planned.host, planned.port):
        raise SettingsError(
            f"{planned.target} is taken by another process; "
            f"stop it, set {name}.port to a free one, or use --ephemeral",
            field=f"{name}.port",
        )
    if planned.metrics_port >= 0 and (ephemeral or planned.metrics_port == 0):
        (port,) = free_ports(1)
        planned = replace(planned, metrics_port=port)
    return planned


def _wires(
    services: Sequence[PlannedService], settings: Settings, ephemeral: bool
) -> dict[str, str]:
    """Where the orchestrator finds the services of this mesh.

    A target that somebody has set stays, unless the ports are chosen here.
    """
    if all(service.name != FRONT for service in services):
        return {}
    free = {value.path for value in settings.values() if ephemeral or value.source == "default"}
    targets = {f"{FRONT}.{service.name}_target": service.target for service in services}
    return {path: target for path, target in targets.items() if path in free}
