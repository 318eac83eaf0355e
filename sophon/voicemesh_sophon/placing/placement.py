"""Where a service's engine sits: which chip, which of its cores, how much of its memory."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from voicemesh.engine_choices import main_engines
from voicemesh.errors import SettingsError
from voicemesh.registry import EngineSpec
from voicemesh.settings import Settings
from voicemesh_sophon.devices import KIND, SERVICES, DevicesSettings, Place
from voicemesh_sophon.placing.inventory import Inventory, inventory_of
from voicemesh_sophon.placing.placement_check import Finding, findings


@dataclass(frozen=True)
class Placement:
    """The place of one service's engine, and where its chip's owner listens."""

    service: str
    """asr, llm or tts. It decides who goes first on a chip that several share."""
    socket: Path
    """The Unix socket of the chip's owner."""
    device: int = 0
    """The number by which the runtime knows the chip."""
    cores: tuple[int, ...] = ()
    """The cores of the chip that its launches may use; empty: the runtime chooses."""
    memory_mb: int | None = None
    """The most device memory that it may take, in MiB; None: what the chip has."""


def devices_of(settings: Settings) -> DevicesSettings:
    """The section ``[devices]``."""
    return settings.section("devices", DevicesSettings)


def on_chip_engines(settings: Settings) -> dict[str, EngineSpec]:
    """The engines that are chosen and run on a chip, by service; of services installed here."""
    chosen = main_engines(settings)
    return {
        service: chosen[service]
        for service in SERVICES
        if service in chosen and chosen[service].device == KIND
    }


def places_of(settings: Settings) -> dict[str, Place]:
    """The places of the services whose engines run on a chip."""
    devices = devices_of(settings)
    return {service: devices.place(service) for service in on_chip_engines(settings)}


def placement_findings(settings: Settings, inventory: Inventory | None = None) -> list[Finding]:
    """What is to say about the placements, before anything is started."""
    known = inventory or inventory_of(devices_of(settings))
    return findings(places_of(settings), known)


def placement_of(settings: Settings, service: str) -> Placement:
    """Where the engine of ``service`` sits; SettingsError where it cannot sit there."""
    devices = devices_of(settings)
    inventory = inventory_of(devices)
    place = devices.place(service)
    for finding in findings({**places_of(settings), service: place}, inventory):
        if finding.severity == "fail":
            raise SettingsError(finding.text, field=finding.field)
    entry = inventory.find(place.card, place.chip)
    assert entry is not None  # Who has no chip is among the findings.
    socket = devices.socket(entry.device)
    return Placement(service, socket, entry.device, place.cores, place.memory_mb)
