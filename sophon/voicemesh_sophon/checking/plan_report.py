"""What ``voicemesh plan`` tells of chips: cards, chips, cores, memory, and what sits where."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from voicemesh.devices import DeviceOutline
from voicemesh.settings import Settings
from voicemesh_sophon.checking.probing import best_inventory
from voicemesh_sophon.placing.inventory import ChipEntry, described
from voicemesh_sophon.placing.model_memory import ModelNeed
from voicemesh_sophon.placing.plan import DevicePlan, Tenant, device_plan


def outline(settings: Settings, inventory: Path | None) -> DeviceOutline:
    """See :meth:`voicemesh.devices.DeviceKind.outline`."""
    plan = device_plan(settings, described(inventory) if inventory else best_inventory(settings))
    return DeviceOutline(list(_lines(plan)), as_json(plan))


def _lines(plan: DevicePlan) -> Iterator[str]:
    yield f"Chips (source: {plan.inventory.source}):"
    for entry in plan.inventory.chips:
        yield f"  {entry.name}: {_cores(entry)}, {_memory(entry)}, device {entry.device}"
        tenants = plan.on(entry)
        for tenant in tenants:
            yield from _tenant_lines(tenant)
        if tenants and entry.memory_mb is not None:
            free = entry.memory_mb - sum(tenant.need_mb for tenant in tenants)
            yield f"    {'left':5} about {max(free, 0)} MiB"
    if not plan.tenants:
        yield "No service has chosen an engine that runs on a chip."
    if any(model.file for tenant in plan.tenants for model in tenant.models):
        yield (
            "Memory is read from the files: what the runtime loads is exact, what engines add for "
            "caches and tensors is estimated from the shapes of the nets."
        )


def _cores(entry: ChipEntry) -> str:
    if entry.cores is None:
        return "cores not known"
    return "1 core" if entry.cores == 1 else f"{entry.cores} cores"


def _memory(entry: ChipEntry) -> str:
    return "memory not known" if entry.memory_mb is None else f"{entry.memory_mb} MiB"


def _tenant_lines(tenant: Tenant) -> Iterator[str]:
    listed = ", ".join(str(core) for core in tenant.place.cores)
    cores = f"cores {listed}" if listed else "any core"
    limit = f", at most {tenant.place.memory_mb} MiB" if tenant.place.memory_mb else ""
    yield f"    {tenant.service:5} {tenant.engine}: {cores}, about {tenant.need_mb} MiB{limit}"
    for model in tenant.models:
        yield f"          {_model_line(model)}"


def _model_line(model: ModelNeed) -> str:
    if model.file is None:
        return f"{model.path.name}: cannot be read"
    file = model.file
    cores = "1 core" if file.cores == 1 else f"{file.cores} cores"
    return (
        f"{model.path.name}: {file.chip}, {cores}, loaded {model.loaded_mb} MiB"
        f", caches {model.caches_mb} MiB, tensors {model.tensors_mb} MiB"
    )


def as_json(plan: DevicePlan) -> dict[str, Any]:
    """The plan for machines. Sizes in MiB."""
    return {
        "source": plan.inventory.source,
        "simulated": plan.inventory.simulated,
        "chips": [
            {
                "card": entry.card,
                "chip": entry.chip,
                "device": entry.device,
                "kind": entry.kind,
                "cores": entry.cores,
                "memory_mb": entry.memory_mb,
                "services": [tenant.service for tenant in plan.on(entry)],
            }
            for entry in plan.inventory.chips
        ],
        "services": {tenant.service: _tenant_json(tenant) for tenant in plan.tenants},
        "findings": [
            {"severity": one.severity, "field": one.field, "text": one.text}
            for one in plan.findings
        ],
    }


def _tenant_json(tenant: Tenant) -> dict[str, Any]:
    return {
        "engine": tenant.engine,
        "card": tenant.place.card,
        "chip": tenant.place.chip,
        "cores": list(tenant.place.cores),
        "memory_mb": tenant.place.memory_mb,
        "need_mb": tenant.need_mb,
        "models": [
            {
                "path": str(model.path),
                "chip": model.file.chip if model.file else "",
                "cores": model.file.cores if model.file else None,
                "nets": len(model.file.nets) if model.file else None,
                "compiler": model.file.version if model.file else "",
                "loaded_mb": model.loaded_mb,
                "caches_mb": model.caches_mb,
                "tensors_mb": model.tensors_mb,
                "error": model.error,
            }
            for model in tenant.models
        ],
    }
