"""Tries every chip out: opens it, launches a net, loads the engines that are configured.

All of it goes through a chip's owner. Where one runs already, its services are at work
and hold the memory: then it is asked for its news, and nothing is loaded beside them.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from voicemesh.check import Check
from voicemesh.errors import EngineError, Unavailable, VoiceMeshError
from voicemesh.registry import EngineSpec
from voicemesh.settings import ServerSettings, Settings, engine_config
from voicemesh_sophon.checking.probing import ChipNews, owner_for_a_while, owner_news
from voicemesh_sophon.chip_owner.scheduler import LOAD_WITHIN_S
from voicemesh_sophon.chip_owner.versions import too_old
from voicemesh_sophon.client import Chip, Launch, Model, Net, Read, Slot, from_bfloat16
from voicemesh_sophon.devices import DevicesSettings
from voicemesh_sophon.placing.inventory import ChipEntry
from voicemesh_sophon.placing.placement import Placement, devices_of, on_chip_engines
from voicemesh_sophon.placing.plan import DevicePlan, Tenant


@dataclass(frozen=True)
class ChipTest:
    """How the trial of a chip went."""

    entry: ChipEntry
    news: ChipNews | None
    """What its owner said of it; None: it could not be opened."""
    checks: tuple[Check, ...]


def try_chips(settings: Settings, plan: DevicePlan) -> Iterator[ChipTest]:
    """Try out the chips of ``plan``, one after the other."""
    devices = devices_of(settings)
    for entry in plan.inventory.chips:
        news = owner_news(devices.socket(entry.device), entry.device)
        if news is None:
            yield _alone(settings, devices, entry, plan.on(entry))
        else:
            busy = ", ".join(news.services) or "nobody"
            detail = f"its owner runs and serves {busy}; stop the mesh to try the engines out"
            checks = (*_told(news), Check("engines", "ok", detail))
            yield ChipTest(entry, news, checks)


def _alone(
    settings: Settings, devices: DevicesSettings, entry: ChipEntry, tenants: Sequence[Tenant]
) -> ChipTest:
    news: ChipNews | None = None
    checks: list[Check] = []
    try:
        with owner_for_a_while(devices, entry.device) as own:
            socket = own.socket(entry.device)
            news = owner_news(socket, entry.device)
            if news is None:
                raise Unavailable("its owner has gone while it was asked")
            checks += _told(news)
            checks += _tiny_launch(Placement("llm", socket, entry.device), tenants)
            specs = on_chip_engines(settings)
            for tenant in tenants:
                checks.append(_engine(settings, specs[tenant.service], tenant, socket))
    except VoiceMeshError as error:
        checks.append(Check("opens", "fail", str(error), "the sentence above says what helps"))
    return ChipTest(entry, news, tuple(checks))


def _told(news: ChipNews) -> Iterator[Check]:
    """What the chip says of itself."""
    versions = ", ".join(f"{name} {number}" for name, number in news.versions.items())
    kind = "a simulator of " if news.simulated else ""
    yield Check("opens", "ok", f"{kind}{news.target or 'an unknown chip'}; {versions}")
    for what, (cost, cure) in too_old(news.versions).items():
        yield Check(what, "warn", cost, cure)
    if news.memory_mb is not None:
        used = int(news.condition.get("memory_used_bytes", 0)) >> 20
        yield Check("memory", "ok", f"{news.memory_mb} MiB, {used} in use")
    if "temperature_celsius" in news.condition:
        yield Check("temperature", "ok", f"{news.condition['temperature_celsius']:.0f} °C")


def _tiny_launch(placement: Placement, tenants: Sequence[Tenant]) -> Iterator[Check]:
    """Launch the smallest net of the smallest file with zeros."""
    files = [model.file for tenant in tenants for model in tenant.models if model.file]
    if not files:
        yield Check("launch", "warn", "no model is configured for this chip: nothing to launch")
        return
    smallest = min(files, key=lambda file: file.size)
    try:
        chip = Chip.open(placement)
        try:
            model = chip.load(Path(smallest.path))
            net = min(_plain(model), key=lambda one: sum(map(_elements, one.inputs)))
            took_s = _launch(chip, net)
        finally:
            chip.close()
    except VoiceMeshError as error:
        yield Check("launch", "fail", str(error), "the sentence above says what helps")
        return
    name = Path(smallest.path).name
    yield Check("launch", "ok", f"{net.name} of {name} took {took_s * 1000:.1f} ms")


def _plain(model: Model) -> list[Net]:
    """Nets without memory of the runtime's own, which is left alone; all, where all have it."""
    plain = [net for net in model.nets.values() if not net.own_io]
    return plain or list(model.nets.values())


def _elements(slot: Slot) -> int:
    return math.prod(slot.shape)


def _launch(chip: Chip, net: Net) -> float:
    inputs = [chip.tensor(slot.shape, slot.dtype) for slot in net.inputs]
    outputs = [chip.tensor(slot.shape, slot.dtype) for slot in net.outputs]
    launch = Launch(net, inputs, outputs)
    chip.run([launch])  # The first one loads the net's commands.
    began = time.monotonic()
    chip.run([launch])
    took_s = time.monotonic() - began
    for array, slot in zip(chip.run([Read(out) for out in outputs]), net.outputs, strict=True):
        values = from_bfloat16(array) if slot.dtype == "bfloat16" else array
        if not np.isfinite(values).all():
            raise EngineError(
                f"{net.file}: {net.name} gives numbers that are not finite; fetch the file again, "
                "and look whether driver and model are of the same age"
            )
    return took_s


def _engine(settings: Settings, spec: EngineSpec, tenant: Tenant, socket: Path) -> Check:
    """Load an engine, which runs its own self-test, and let it go again."""
    name = f"{tenant.service}.engine = {spec.name}"
    assert tenant.entry is not None
    place = tenant.place
    placement = Placement(tenant.service, socket, tenant.entry.device, place.cores, place.memory_mb)
    config = engine_config(settings.section(tenant.service, ServerSettings), spec)
    began = time.monotonic()
    try:
        asyncio.run(_loaded(spec, config, placement))
    except TimeoutError:
        return Check(name, "fail", f"not loaded within {LOAD_WITHIN_S:.0f} s", "look at bm-smi")
    except VoiceMeshError as error:
        return Check(name, "fail", str(error), "the sentence above says what helps")
    return Check(name, "ok", f"loaded and tested in {time.monotonic() - began:.1f} s")


async def _loaded(spec: EngineSpec, config: object, placement: Placement) -> None:
    engine = spec.make(config, placement)
    try:
        async with asyncio.timeout(LOAD_WITHIN_S):
            await engine.load()
    finally:
        await engine.close()
