"""Asks the chips themselves, each through its owner.

Where an owner runs, it is asked; elsewhere one is started for the question alone. No
chip is opened in this process.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from voicemesh.errors import Unavailable, VoiceMeshError
from voicemesh.settings import Settings
from voicemesh_sophon.chip_owner.vendor_errors import explained
from voicemesh_sophon.chip_owner.wire import WATCH
from voicemesh_sophon.client.owner_link import OwnerLink
from voicemesh_sophon.devices import DevicesSettings
from voicemesh_sophon.owner_process import OwnerProcess
from voicemesh_sophon.placing.inventory import ChipEntry, Inventory, inventory_of
from voicemesh_sophon.placing.placement import Placement, devices_of, on_chip_engines

_MIB = 1 << 20
_LAST_WORDS = 3


@dataclass(frozen=True)
class ChipNews:
    """Kind, software, condition and users of a chip, as its owner reports them."""

    target: str
    """BM1684X, BM1688 ...; empty where the platform does not tell."""
    cores: int
    simulated: bool
    versions: dict[str, str]
    abilities: tuple[str, ...]
    condition: dict[str, float]
    """Memory, utilisation, temperature, as far as the platform gives them."""
    services: tuple[str, ...] = field(default=())
    """Who works on it now."""

    @property
    def memory_mb(self) -> int | None:
        """Memory for models, in MiB; None where it is not told."""
        total = self.condition.get("memory_total_bytes")
        return None if total is None else int(total / _MIB)


def owner_news(socket: Path, device: int) -> ChipNews | None:
    """What the owner that listens on ``socket`` says of its chip; None where none does."""
    placement = Placement(WATCH, socket, device)
    try:
        link = OwnerLink(placement)
    except Unavailable:
        return None
    try:
        return _news(link.greeting, link.ask({"op": "news"}))
    finally:
        link.close()


def _news(greeting: dict[str, Any], told: dict[str, Any]) -> ChipNews:
    return ChipNews(
        target=greeting["target"],
        cores=greeting["cores"],
        simulated=greeting["simulated"],
        versions=greeting["versions"],
        abilities=tuple(greeting["abilities"]),
        condition=told["condition"],
        services=tuple(client["service"] for client in told["clients"]),
    )


@contextmanager
def owner_for_a_while(devices: DevicesSettings, device: int) -> Iterator[DevicesSettings]:
    """An owner of our own, on a socket of its own: settings under which it is found.

    Unavailable with its last words where it does not start.
    """
    with tempfile.TemporaryDirectory(prefix="voicemesh-") as folder:
        own = devices.model_copy(update={"socket_folder": Path(folder)})
        with tempfile.TemporaryFile() as said:
            owner = OwnerProcess(own, device, said)
            try:
                with owner:
                    yield own
            except Unavailable as error:
                raise Unavailable(_last_words(said.fileno()) or str(error)) from error


def _last_words(descriptor: int) -> str:
    with open(descriptor, "rb", closefd=False) as file:
        file.seek(0)
        lines = file.read().decode(errors="replace").splitlines()
    return explained(" | ".join(line for line in lines[-_LAST_WORDS:] if line))


def probe(devices: DevicesSettings, device: int) -> ChipNews:
    """What a chip is; Unavailable where it cannot be opened."""
    news = owner_news(devices.socket(device), device)
    if news is not None:
        return news
    with owner_for_a_while(devices, device) as own:
        news = owner_news(own.socket(device), device)
    if news is None:
        raise Unavailable(f"the owner of chip {device} has gone while it was asked")
    return news


def best_inventory(settings: Settings) -> Inventory:
    """The chips that ``[devices]`` is about, asked themselves where that makes sense.

    Chips that are described, simulated or wanted by nobody are not asked. One that
    cannot be asked stays as it is listed, and ``source`` says why.
    """
    devices = devices_of(settings)
    inventory = inventory_of(devices)
    if devices.inventory is not None or inventory.simulated:
        return inventory
    if not inventory.found and not on_chip_engines(settings):
        return replace(inventory, chips=())
    return asked(devices, inventory)


def asked(devices: DevicesSettings, inventory: Inventory) -> Inventory:
    """The inventory with what its chips say themselves."""
    chips: list[ChipEntry] = []
    silent: list[str] = []
    for entry in inventory.chips:
        try:
            news = probe(devices, entry.device)
        except VoiceMeshError as error:
            silent.append(f"{entry.name} cannot be asked: {error}")
            chips.append(entry)
            continue
        chips.append(
            replace(
                entry,
                kind=news.target or entry.kind,
                cores=news.cores if news.target else entry.cores,
                memory_mb=news.memory_mb,
            )
        )
    if inventory.found or len(silent) < len(chips):
        source = "; ".join([f"{inventory.source} and the chips", *silent])
        return replace(inventory, source=source, chips=tuple(chips))
    return replace(inventory, source="; ".join([inventory.source, *silent]), chips=())
