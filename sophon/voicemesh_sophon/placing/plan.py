"""The plan of the chips: which service works on which, and whether it fits."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from voicemesh.registry import Probe, config_field
from voicemesh.settings import ServerSettings, Settings, engine_config
from voicemesh_sophon.chip_owner.kinds import files_of
from voicemesh_sophon.devices import Place
from voicemesh_sophon.placing.inventory import ChipEntry, Inventory
from voicemesh_sophon.placing.model_memory import ModelNeed, model_needs
from voicemesh_sophon.placing.placement import on_chip_engines, places_of
from voicemesh_sophon.placing.placement_check import Finding, findings


@dataclass(frozen=True)
class Tenant:
    """A service whose engine works on a chip, and what that needs."""

    service: str
    engine: str
    place: Place
    entry: ChipEntry | None
    """None: there is no such chip."""
    models: Sequence[ModelNeed]
    check: Probe | None
    """What the engine says of its files; None where they are wrong as such."""

    @property
    def need_mb(self) -> int:
        """What its models take, in MiB."""
        return sum(model.total_mb for model in self.models)


@dataclass(frozen=True)
class DevicePlan:
    """The chips, the services on them, and the findings."""

    inventory: Inventory
    tenants: Sequence[Tenant]
    findings: Sequence[Finding]

    @property
    def fits(self) -> bool:
        """Whether it can work."""
        return all(finding.severity != "fail" for finding in self.findings)

    def on(self, entry: ChipEntry) -> Sequence[Tenant]:
        """The services on a chip."""
        return [tenant for tenant in self.tenants if tenant.entry == entry]


def device_plan(settings: Settings, inventory: Inventory) -> DevicePlan:
    """Plan the services whose chosen engines run on a chip."""
    places = places_of(settings)
    tenants = []
    for service, spec in on_chip_engines(settings).items():
        config = engine_config(settings.section(service, ServerSettings), spec)
        place = places[service]
        entry = inventory.find(place.card, place.chip)
        models = model_needs(f"{service}.{config_field(spec.name)}", config)
        whole = bool(models) and all(model.file for model in models)
        check = spec.checked(config, settings) if whole else None
        tenants.append(Tenant(service, spec.name, place, entry, models, check))
    found = findings(places, inventory)
    for tenant in tenants:
        found += _of_tenant(tenant)
    for entry in inventory.chips:
        found += _of_chip(entry, [tenant for tenant in tenants if tenant.entry == entry])
    return DevicePlan(inventory, tenants, found)


def _of_tenant(tenant: Tenant) -> Iterator[Finding]:
    section = f"{tenant.service}.{config_field(tenant.engine)}"
    if not tenant.models:
        yield Finding(
            "fail",
            section,
            f"{section} names no bmodel; fetch a set (scripts/fetch_models) and name its files",
        )
    for model in tenant.models:
        if model.file is None:
            yield Finding("fail", model.setting, model.error)
        elif tenant.entry is not None:
            yield from _of_file(tenant, tenant.entry, model)
    if tenant.check is not None and not tenant.check.usable:
        cure = f"; {tenant.check.cure}" if tenant.check.cure else ""
        yield Finding("fail", section, f"{tenant.check.reason}{cure}")
    granted = tenant.place.memory_mb
    if granted is not None and tenant.need_mb > granted:
        field = f"devices.{tenant.service}.memory_mb"
        yield Finding(
            "fail",
            field,
            f"the models of {tenant.service} take about {tenant.need_mb} MiB, but {field} grants "
            f"{granted} MiB; raise it, or take a smaller model",
        )


def _of_file(tenant: Tenant, entry: ChipEntry, model: ModelNeed) -> Iterator[Finding]:
    file = model.file
    assert file is not None
    if entry.kind and files_of(file.chip) != files_of(entry.kind):
        yield Finding(
            "fail",
            model.setting,
            f"{file.path} was compiled for {file.chip}, but {tenant.service} sits on {entry.name}; "
            f"fetch or compile it for {entry.kind}",
        )
    elif entry.cores is not None and file.cores > entry.cores:
        yield Finding(
            "fail",
            model.setting,
            f"{file.path} was compiled for {file.cores} cores, but {entry.name} has {entry.cores}; "
            "take the file for fewer",
        )
    elif tenant.place.cores and file.cores > len(tenant.place.cores):
        field = f"devices.{tenant.service}.cores"
        yield Finding(
            "fail",
            field,
            f"{file.path} was compiled for {file.cores} cores, but {field} names "
            f"{len(tenant.place.cores)}; name more, or take the file for fewer",
        )
    if file.devices > 1:
        yield Finding(
            "fail",
            model.setting,
            f"{file.path} is spread over {file.devices} chips; take the file for a single one",
        )


def _of_chip(entry: ChipEntry, tenants: Sequence[Tenant]) -> Iterator[Finding]:
    total = sum(tenant.need_mb for tenant in tenants)
    if entry.memory_mb is None or total <= entry.memory_mb:
        return
    largest = max(tenants, key=lambda tenant: tenant.need_mb)
    parts = " + ".join(f"{tenant.service} {tenant.need_mb}" for tenant in tenants)
    cure = (
        "place one of them on another chip, or take a smaller model"
        if len(tenants) > 1
        else "take a smaller model or a shorter sequence"
    )
    if entry.kind == "BM1684X":
        cure += "; a BM1684X SoC can give its NPU more with memory_edit (docs/sophon.md)"
    yield Finding(
        "fail",
        f"devices.{largest.service}",
        f"{entry.name} has {entry.memory_mb} MiB, but the models take about {parts} = {total} MiB, "
        f"{total - entry.memory_mb} too many; {cure}",
    )
