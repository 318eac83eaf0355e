"""What ``voicemesh doctor`` looks at: whether all is here that the settings ask for.

A section of checks is a callable from Settings to a list of :class:`Check`,
announced under the entry-point group ``voicemesh.checks``; the entry's name is
its heading. Rooms may announce sections of their own.
"""

from __future__ import annotations

import asyncio
import platform
from collections.abc import Iterator
from importlib.metadata import distributions, version

import grpc.aio

from voicemesh.check import Check, Verdict
from voicemesh.core_plan import core_claims, shared_cores, wrong_cores
from voicemesh.cores import spelled, usable_cores
from voicemesh.devices import device_kinds, missing_kind
from voicemesh.engine_choices import Choice, choices
from voicemesh.errors import SettingsError, VoiceMeshError
from voicemesh.grpc_client import open_channel
from voicemesh.registry import EngineSpec, Probe, engine_specs, installed
from voicemesh.server.service import ServiceSpec
from voicemesh.settings import ServerSettings, Settings, engine_config
from voicemesh.supervisor.ports import dialled, is_free
from voicemesh.tracing import require_opentelemetry
from voicemesh.v1 import operations_pb2
from voicemesh.v1.operations_pb2_grpc import OperationsServiceStub

_DESCRIBE_S = 2.0


def installed_checks(settings: Settings) -> list[Check]:
    """Python, the kit, and the rooms with their versions."""
    checks = [
        Check("python", "ok", f"{platform.python_version()} on {platform.machine()}"),
        Check("grpcio", "ok", version("grpcio")),
    ]
    ours = {
        dist.name: dist.version
        for dist in distributions()
        if dist.name == "voicemesh" or dist.name.startswith("voicemesh-")
    }
    checks += [Check(name, "ok", number) for name, number in sorted(ours.items())]
    services = ", ".join(installed("voicemesh.services"))
    if not services:
        cure = "install a room, such as voicemesh-asr; ./scripts/setup installs all of them"
        return [*checks, Check("services", "warn", "none is installed here", cure)]
    return [*checks, Check("services", "ok", services)]


def refusals(settings: Settings) -> list[Check]:
    """What the services installed here, and tracing, would refuse of these settings."""
    checks = asyncio.run(_services_refusals(settings))
    endpoint = settings.mesh.tracing_endpoint
    if endpoint:
        try:
            require_opentelemetry()
            checks.append(Check("tracing", "ok", f"to {endpoint}"))
        except SettingsError as error:
            checks.append(Check("tracing", "fail", str(error)))
    return checks


async def _services_refusals(settings: Settings) -> list[Check]:
    """Those of every service that is a part of a mesh; none of them is loaded."""
    checks: list[Check] = []
    specs: dict[str, ServiceSpec] = installed("voicemesh.services")
    for name, spec in specs.items():
        if not spec.in_mesh:
            continue
        try:
            service = spec.factory(settings)
        except (VoiceMeshError, OSError) as error:
            checks.append(Check(name, "fail", f"refuses its settings: {error}"))
        else:
            await service.close()
    return checks


def engine_checks(settings: Settings) -> list[Check]:
    """Every engine of every room: can it be used, and where not, the cure."""
    checks: list[Check] = []
    for choice in choices(settings):
        kind = choice.group.removeprefix("voicemesh.")
        try:
            specs = engine_specs(choice.group)
        except SettingsError as error:
            checks.append(Check(kind, "fail", str(error)))
            continue
        checks += [_engine_check(spec, choice, settings) for spec in specs.values()]
        if choice.name and choice.name not in specs:
            known = ", ".join(specs) or "none"
            detail = f"{choice.path} = {choice.name}, but installed are: {known}"
            cure = f"set {choice.path} to one of them"
            checks.append(Check(f"{kind} {choice.name}", "fail", detail, cure))
    return checks


def _engine_check(spec: EngineSpec, choice: Choice, settings: Settings) -> Check:
    is_chosen = spec.name == choice.name
    try:
        probe = _usable(spec, settings)
        detail = probe.reason
        checked = None
        if is_chosen and probe.usable:
            checked = spec.checked(engine_config(choice.section, spec), settings)
        if checked is not None:
            probe, detail = checked, f"{detail}; {checked.reason}"
    except (VoiceMeshError, OSError) as error:
        probe = Probe(False, str(error))
        detail = probe.reason
    detail = f"{detail}; licence {spec.licence}; {spec.summary}"
    if is_chosen:
        detail = f"chosen by {choice.path}; {detail}"
    must_work = is_chosen and not choice.dispensable
    works: Verdict = "warn" if probe.cure else "ok"
    verdict: Verdict = works if probe.usable else "fail" if must_work else "warn"
    return Check(f"{choice.path} = {spec.name}", verdict, detail, probe.cure)


def _usable(spec: EngineSpec, settings: Settings) -> Probe:
    """Whether an engine can run here: its library, and a device of its kind."""
    probe = spec.probe()
    if not probe.usable or not spec.device:
        return probe
    kind = device_kinds().get(spec.device)
    device = missing_kind(spec) if kind is None else kind.probe(settings)
    return probe if device.usable else device


def device_checks(settings: Settings) -> list[Check]:
    """The cores, and who is pinned to them; kinds of devices announce checks of their own."""
    cpu = Check("cpu", "ok", spelled(usable_cores()))
    try:
        return [cpu, *_core_checks(settings)]
    except SettingsError as error:  # Nobody knows the engines that wrong settings mean.
        return [cpu, Check("cores", "fail", str(error))]


def _core_checks(settings: Settings) -> Iterator[Check]:
    for claim in core_claims(settings):
        threads = "1 thread" if claim.threads == 1 else f"{claim.threads} threads"
        yield Check(claim.setting, "ok", f"{threads} on {spelled(claim.cores)}")
    for setting, sentence in shared_cores(settings):
        yield Check(setting, "warn", sentence)
    for setting, sentence in wrong_cores(settings):
        yield Check(setting, "fail", sentence)


def port_checks(settings: Settings) -> list[Check]:
    """The ports of the services installed here: free, or served by whom."""
    return asyncio.run(look_at_ports(settings))


async def look_at_ports(settings: Settings) -> list[Check]:
    """The same for callers that have an event loop."""
    checks: list[Check] = []
    for name in installed("voicemesh.services"):
        section = settings.section(name, ServerSettings)
        by = await _served_by(section)
        checks.append(_grpc_port_check(name, section, by))
        if section.metrics_port > 0 and by != name:
            checks.append(_metrics_port_check(name, section))
    return checks


async def _served_by(section: ServerSettings) -> str | None:
    """The service on a port; "" where something else is, None where nothing is."""
    if section.port == 0 or is_free(section.host, section.port):
        return None
    async with open_channel(dialled(section.host, section.port)) as channel:
        try:
            described = await OperationsServiceStub(channel).Describe(
                operations_pb2.DescribeRequest(), timeout=_DESCRIBE_S
            )
        except grpc.aio.AioRpcError:
            return ""
    return described.service


def _grpc_port_check(name: str, section: ServerSettings, by: str | None) -> Check:
    path = f"{name}.port"
    target = dialled(section.host, section.port)
    if section.port == 0:
        return Check(path, "ok", "any free one")
    if by is None:
        return Check(path, "ok", f"{target} is free")
    if by == name:
        return Check(path, "ok", f"{target} is served by {name}")
    who = by or "something that is not of this mesh"
    return Check(path, "fail", f"{target} is served by {who}", f"set {path} to a free port")


def _metrics_port_check(name: str, section: ServerSettings) -> Check:
    path = f"{name}.metrics_port"
    target = dialled(section.host, section.metrics_port)
    if is_free(section.host, section.metrics_port):
        return Check(path, "ok", f"{target} is free")
    return Check(path, "fail", f"{target} is taken", f"set {path} to a free port, or to -1")


def sections(settings: Settings) -> Iterator[tuple[str, list[Check]]]:
    """All sections that are announced, each with its heading."""
    for heading, look in installed("voicemesh.checks").items():
        yield heading, look(settings)
