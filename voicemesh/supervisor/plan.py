"""What a mesh runs: its services, their addresses, and how they find each other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from voicemesh.errors import NotFound, SettingsError
from voicemesh.registry import installed
from voicemesh.server.service import ServiceSpec
from voicemesh.settings import ServerSettings, Settings, load
from voicemesh.supervisor.ports import dialled, free_ports, is_free

FRONT = "orchestrator"
"""The service that clients talk to."""


@dataclass(frozen=True)
class Planned:
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


@dataclass(frozen=True)
class Plan:
    """The services, and the settings that every one of them is started with."""

    services: tuple[Planned, ...]
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
    services = tuple(_placed(name, settings, ephemeral) for name in _chosen(names))
    ports: dict[str, str] = {}
    for service in services:
        ports[f"{service.name}.port"] = str(service.port)
        ports[f"{service.name}.metrics_port"] = str(service.metrics_port)
    wired = _wires(services, settings, ephemeral)
    return Plan(services, config, {**flags, **ports, **wired})


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


def _placed(name: str, settings: Settings, ephemeral: bool) -> Planned:
    section = settings.section(name, ServerSettings)
    planned = Planned(name, section.host, section.port, section.metrics_port, section.drain_grace_s)
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


def _wires(services: Sequence[Planned], settings: Settings, ephemeral: bool) -> dict[str, str]:
    """Where the orchestrator finds the services of this mesh.

    A target that somebody has set stays, unless the ports are chosen here.
    """
    if all(service.name != FRONT for service in services):
        return {}
    free = {value.path for value in settings.values() if ephemeral or value.source == "default"}
    targets = {f"{FRONT}.{service.name}_target": service.target for service in services}
    return {path: target for path, target in targets.items() if path in free}
