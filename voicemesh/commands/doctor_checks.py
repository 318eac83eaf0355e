"""What ``voicemesh doctor`` looks at: whether all is here that the settings ask for.

A section of checks is a callable from Settings to a list of :class:`Check`,
announced under the entry-point group ``voicemesh.checks``; the entry's name is
its heading. Rooms may announce sections of their own.
"""

from __future__ import annotations

import asyncio
import os
import platform
from collections.abc import Iterator
from importlib.metadata import distributions, version
from importlib.util import find_spec
from pathlib import Path

import grpc.aio

from voicemesh.check import Check, Verdict
from voicemesh.errors import SettingsError, VoiceMeshError
from voicemesh.grpc_client import open_channel
from voicemesh.registry import EngineSpec, Probe, engine_spec, engine_specs, installed
from voicemesh.server.service import ServiceSpec
from voicemesh.settings import Section, ServerSettings, Settings, engine_config
from voicemesh.supervisor.ports import dialled, is_free
from voicemesh.tracing import require_opentelemetry
from voicemesh.v1 import operations_pb2
from voicemesh.v1.operations_pb2_grpc import OperationsServiceStub
from voicemesh_sophon.devices import DevicesSettings
from voicemesh_sophon.inventory import NODES

CHOICES = {
    "voicemesh.asr_engines": "asr.engine",
    "voicemesh.vads": "asr.vad",
    "voicemesh.turn_models": "asr.turn_model",
    "voicemesh.punctuation_models": "asr.punctuation_model",
    "voicemesh.turn_language_models": "asr.turn_language_model",
    "voicemesh.llm_engines": "llm.engine",
    "voicemesh.tts_engines": "tts.engine",
}
"""The groups of engines, and the setting that chooses among them; empty chooses none."""
_DISPENSABLE = frozenset({"asr.turn_language_model"})
"""Without these a service works nevertheless, and says so."""

_DESCRIBE_S = 2.0
_CHIP_CURE = (
    "VOICEMESH_SOPHON=cmodel simulates a chip; for a real one install the vendor's sophon.sail"
)


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


def engine_choices(settings: Settings) -> Iterator[str]:
    """What is wrong with the names of the engines that are chosen, in a sentence each."""
    values = {value.path: value.value for value in settings.values()}
    for group, path in CHOICES.items():
        if values.get(path):
            try:
                engine_spec(group, str(values[path]), path)
            except SettingsError as error:
                yield str(error)


def engine_checks(settings: Settings) -> list[Check]:
    """Every engine of every room: can it be used, and where not, the cure."""
    values = {value.path: value.value for value in settings.values()}
    checks: list[Check] = []
    for group, path in CHOICES.items():
        kind = group.removeprefix("voicemesh.")
        try:
            specs = engine_specs(group)
        except SettingsError as error:
            checks.append(Check(kind, "fail", str(error)))
            continue
        chosen = values.get(path)
        section = settings.section(path.partition(".")[0], Section) if chosen else None
        devices = settings.section("devices", DevicesSettings)
        checks += [_engine_check(spec, path, chosen, section, devices) for spec in specs.values()]
        if chosen and chosen not in specs:
            known = ", ".join(specs) or "none"
            detail = f"{path} = {chosen}, but installed are: {known}"
            checks.append(Check(f"{kind} {chosen}", "fail", detail, f"set {path} to one of them"))
    return checks


def _engine_check(
    spec: EngineSpec,
    path: str,
    chosen: object,
    section: Section | None,
    devices: DevicesSettings,
) -> Check:
    is_chosen = spec.name == chosen
    try:
        probe = spec.probe()
        if probe.usable and spec.on_chip and not _has_chip(devices):
            probe = Probe(False, "no Sophgo chip can be used here", _CHIP_CURE)
        detail = probe.reason
        if is_chosen and probe.usable and spec.check is not None and section is not None:
            probe = spec.check(engine_config(section, spec))
            detail = f"{detail}; {probe.reason}"
    except (VoiceMeshError, OSError) as error:
        probe = Probe(False, str(error))
        detail = probe.reason
    detail = f"{detail}; licence {spec.licence}; {spec.summary}"
    if is_chosen:
        detail = f"chosen by {path}; {detail}"
    must_work = is_chosen and path not in _DISPENSABLE
    verdict: Verdict = "ok" if probe.usable else "fail" if must_work else "warn"
    return Check(f"{path} = {spec.name}", verdict, detail, "" if probe.usable else probe.cure)


def device_checks(settings: Settings) -> list[Check]:
    """The processors that engines can run on."""
    checks = [Check("cpu", "ok", f"{os.cpu_count()} cores")]
    checks += [
        Check(device.name, "ok", "a Sophgo device")
        for pattern in NODES
        for device in sorted(Path("/dev").glob(pattern))
    ]
    return [*checks, _sail_check(settings.section("devices", DevicesSettings))]


def _has_chip(devices: DevicesSettings) -> bool:
    """Whether a chip is simulated, or the vendor's library may find a real one."""
    return devices.simulated or devices.owner_python is not None or _has_sail()


def _has_sail() -> bool:
    return find_spec("sophon") is not None and find_spec("sophon.sail") is not None


def _sail_check(devices: DevicesSettings) -> Check:
    """Where the owners of chips find sail; `doctor --tpu` tries it."""
    if devices.simulated:
        kind = devices.simulated_chip.upper()
        return Check("sophon.sail", "ok", f"a simulator of the {kind} stands in for it")
    if devices.owner_python is not None:
        tried = "`voicemesh doctor --tpu` tries it"
        return Check("sophon.sail", "ok", f"expected in {devices.owner_python}; {tried}")
    if _has_sail():
        return Check("sophon.sail", "ok", "installed")
    cure = (
        "only Sophgo chips need it; install it from the vendor's SDK that belongs to the chip's "
        "driver, never from a package index: what goes by that name there is not the vendor's. "
        "It may be in another Python that devices.owner_python names"
    )
    return Check("sophon.sail", "warn", "not installed: no TPU can be used", cure)


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
