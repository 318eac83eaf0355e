"""Whether the engines that want a chip have one that they fit on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Literal

from voicemesh_sophon.chip_owner.kinds import files_of
from voicemesh_sophon.chip_owner.wire import PRIORITIES
from voicemesh_sophon.devices import Place
from voicemesh_sophon.placing.inventory import ChipEntry, Inventory

Severity = Literal["fail", "warn", "note"]

LONGEST_LAUNCH_S = {("tts", "BM1684X"): 0.23, ("tts", "BM1688"): 1.2}
"""Seconds of the longest single launch that the vendor published for a service's model
(sophon-demo, sample VITS_CHINESE). A launch cannot be interrupted: this is what a more
urgent service waits on a core that it shares. The others' launches are shorter."""


@dataclass(frozen=True)
class Finding:
    """Something about a placement that its owner should know."""

    severity: Severity
    """fail: it cannot work; warn: it works badly; note: it is meant to be so."""
    field: str
    """The setting that it is about."""
    text: str
    """What is so, and what helps."""


def findings(places: Mapping[str, Place], inventory: Inventory) -> list[Finding]:
    """All that is to say about the places of the services whose engines run on a chip."""
    found: list[Finding] = []
    by_chip: dict[ChipEntry, dict[str, Place]] = {}
    for service, place in places.items():
        entry = inventory.find(place.card, place.chip)
        if entry is None:
            found.append(_nowhere(service, place, inventory))
            continue
        found += _alone(service, place, entry)
        by_chip.setdefault(entry, {})[service] = place
    for entry, together in by_chip.items():
        found += _memory(entry, together)
        for first, second in combinations(together, 2):
            found += _shared(entry, first, together[first], second, together[second])
    return found


def _nowhere(service: str, place: Place, inventory: Inventory) -> Finding:
    if not inventory.chips:
        return Finding(
            "fail",
            f"devices.{service}",
            f"no Sophgo chip was found for {service} ({inventory.source}). VOICEMESH_SOPHON=cmodel "
            "simulates one; a file that devices.inventory names describes one that is to come",
        )
    on_card = inventory.on_card(place.card)
    if on_card:
        there = _listed([entry.chip for entry in on_card])
        field, missing = f"devices.{service}.chip", f"card {place.card} has no chip {place.chip}"
    else:
        there = _listed(sorted({entry.card for entry in inventory.chips}))
        field, missing = f"devices.{service}.card", f"there is no card {place.card}"
    return Finding(
        "fail",
        field,
        f"{missing}; there is {there} (source: {inventory.source}). Set {field} to one that is "
        "there, or describe the cards in the file that devices.inventory names",
    )


def _alone(service: str, place: Place, entry: ChipEntry) -> Iterator[Finding]:
    field = f"devices.{service}.cores"
    wrong = [core for core in place.cores if entry.cores is not None and core >= entry.cores]
    if wrong:
        there = _listed(range(entry.cores or 0))
        yield Finding(
            "fail",
            field,
            f"{entry.name} has no core {_listed(wrong)}; it has {there}. "
            f"Set {field} to cores that are there, or leave it out",
        )
    field = f"devices.{service}.memory_mb"
    if place.memory_mb and entry.memory_mb and place.memory_mb > entry.memory_mb:
        yield Finding(
            "fail",
            field,
            f"{entry.name} has {entry.memory_mb} MiB, less than the {place.memory_mb} MiB that "
            f"{service} may take; lower {field}, or place {service} on another chip",
        )


def _memory(entry: ChipEntry, together: Mapping[str, Place]) -> Iterator[Finding]:
    granted = {service: place.memory_mb for service, place in together.items() if place.memory_mb}
    total = sum(granted.values())
    if len(granted) > 1 and entry.memory_mb and total > entry.memory_mb:
        field = f"devices.{max(granted, key=lambda service: granted[service])}.memory_mb"
        parts = " and ".join(f"{service} {size}" for service, size in granted.items())
        yield Finding(
            "fail",
            field,
            f"{entry.name} has {entry.memory_mb} MiB, but together {parts} may take {total} MiB; "
            f"lower {field}, or place one of them on another chip",
        )


def _shared(
    entry: ChipEntry, first: str, first_place: Place, second: str, second_place: Place
) -> Iterator[Finding]:
    """Two services on one chip: fine on cores of their own, else one waits for the other."""
    if not _meet(first_place, second_place):
        return
    urgent, other = sorted((first, second), key=PRIORITIES.index)
    bound = LONGEST_LAUNCH_S.get((other, files_of(entry.kind)))
    wait = f" (published: up to {bound} s)" if bound else ""
    told = (
        f"{urgent} and {other} may meet on a core of {entry.name}: {urgent} goes first, and waits "
        f"at most for the launch of {other} that is under way{wait}"
    )
    if bound and entry.cores is not None and entry.cores > 1:
        yield Finding(
            "warn",
            f"devices.{other}.cores",
            f"{told}. Give them cores of their own: devices.{urgent}.cores = [0], "
            f"devices.{other}.cores = [1], with models compiled for one core",
        )
    else:
        yield Finding("note", f"devices.{other}", told)


def _meet(first: Place, second: Place) -> bool:
    """Whether both may use the same core; without a list the runtime takes any."""
    return not first.cores or not second.cores or bool(set(first.cores) & set(second.cores))


def _listed(numbers: Sequence[int]) -> str:
    return " and ".join(str(number) for number in numbers)
