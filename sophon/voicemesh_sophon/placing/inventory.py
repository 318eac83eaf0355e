"""Which cards, chips and cores there are: described in a file, or listed by the driver.

Nothing here opens a chip. What only the chip itself can tell, its kind and memory
where the driver does not, its owner is asked for (``probing.py``).
"""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from string import ascii_letters

from pydantic import Field, ValidationError, field_validator

from voicemesh.errors import SettingsError
from voicemesh.settings import Section
from voicemesh_sophon.chip_owner.kinds import CORES
from voicemesh_sophon.devices import DevicesSettings

DRIVER = Path("/proc/bmsophon")
"""Where the driver of PCIe cards lists them."""
NODES = ("bm-sophon[0-9]*", "bm-tpu[0-9]*")
"""Chips among the devices: of PCIe cards, and of a SoC box."""
_KINDS = {"0X1684": "BM1684", "0X1686": "BM1684X", "0X1686A200": "BM1688"}
"""What the driver's chip numbers mean."""


@dataclass(frozen=True)
class ChipEntry:
    """A chip of this machine, or of one that is planned."""

    card: int
    chip: int
    """Which one on its card."""
    device: int
    """The number by which the runtime knows it."""
    kind: str = ""
    """BM1684X, BM1688 ...; empty: not known yet."""
    cores: int | None = None
    """None: not known yet."""
    memory_mb: int | None = None
    """Memory that models can be loaded into, in MiB; None: not known."""

    @property
    def name(self) -> str:
        """What people call it."""
        kind = f" ({self.kind})" if self.kind else ""
        return f"card {self.card} chip {self.chip}{kind}"


@dataclass(frozen=True)
class Inventory:
    """All chips, and how they are known."""

    source: str
    chips: tuple[ChipEntry, ...]
    simulated: bool = False
    found: bool = True
    """False: nothing here shows a chip, and one is only taken for granted."""

    def find(self, card: int, chip: int) -> ChipEntry | None:
        """The chip at a place."""
        found = (entry for entry in self.chips if (entry.card, entry.chip) == (card, chip))
        return next(found, None)

    def on_card(self, card: int) -> Sequence[ChipEntry]:
        """The chips of a card; none: there is no such card."""
        return [entry for entry in self.chips if entry.card == card]


class _Card(Section):
    """One ``[[cards]]`` of an inventory file."""

    name: str = ""
    chip: str
    chips: int = Field(1, ge=1, le=64)
    cores: int | None = Field(None, ge=1, le=64)
    memory_mb: int | None = Field(None, gt=0)

    @field_validator("chip")
    @classmethod
    def _driven(cls, name: str) -> str:
        if name.upper() not in CORES:
            raise ValueError(
                f"{name!r} is no chip that is driven; set it to BM1684X (SE7, PCIe cards), BM1688 "
                "(SE9-16), or CV186AH, also called CV186X (SE9-8)"
            )
        return name.upper()


class _File(Section):
    """An inventory file."""

    cards: tuple[_Card, ...] = Field(min_length=1)


def described(path: Path) -> Inventory:
    """The inventory that a file describes; SettingsError says what is wrong with it."""
    try:
        file = _File.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except OSError as error:
        raise SettingsError(
            f"the inventory {path} cannot be read ({error.strerror}); name another file"
        ) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"the inventory {path} is no TOML: {error}") from None
    except ValidationError as error:
        problem = error.errors()[0]
        where = ".".join(str(part) for part in problem["loc"])
        raise SettingsError(
            f"the inventory {path}: {where}: {problem['msg'].removeprefix('Value error, ')}; "
            "docs/sophon.md has an example",
            field=where,
        ) from None
    chips: list[ChipEntry] = []
    for number, card in enumerate(file.cards):
        kind = card.chip
        for chip in range(card.chips):
            cores = card.cores or CORES.get(kind)
            chips.append(ChipEntry(number, chip, len(chips), kind, cores, card.memory_mb))
    return Inventory(str(path), tuple(chips))


def listed(driver: Path = DRIVER, devices: Path = Path("/dev")) -> Inventory:
    """The chips that the driver lists, or shows as devices.

    The driver of PCIe cards makes a folder for each card, and in it one for each of
    its chips, which is named by its device number. A SoC box has one chip and no list.
    """
    chips: list[ChipEntry] = []
    for card in sorted(driver.glob("card[0-9]*"), key=_number):
        told = _text(card / "chipid").upper()
        kind = _KINDS.get(told, told)
        numbers = sorted(_number(folder) for folder in card.glob("bmsophon[0-9]*"))
        for chip, device in enumerate(numbers):
            chips.append(ChipEntry(_number(card), chip, device, kind, CORES.get(kind)))
    if chips:
        return Inventory("the driver", tuple(chips))
    nodes = sorted({_number(node) for pattern in NODES for node in devices.glob(pattern)})
    if nodes:
        one_card = (ChipEntry(0, chip, device) for chip, device in enumerate(nodes))
        return Inventory("the device files", tuple(one_card))
    return Inventory("nothing here shows a Sophgo chip", (ChipEntry(0, 0, 0),), found=False)


def _number(path: Path) -> int:
    """``card1`` is 1, ``bm-sophon2`` is 2."""
    return int(path.name.lstrip(f"{ascii_letters}-"))


def _text(file: Path) -> str:
    try:
        return file.read_text().strip()
    except OSError:
        return ""


def simulator(chip: str, count: int = 1) -> Inventory:
    """The simulator: a card with ``count`` chips, whose memory is the host's."""
    kind = chip.upper()
    chips = (ChipEntry(0, number, number, kind, CORES[kind]) for number in range(count))
    return Inventory(f"the simulator of the {kind}", tuple(chips), simulated=True)


def inventory_of(devices: DevicesSettings) -> Inventory:
    """The chips that ``[devices]`` is about, without opening one."""
    if devices.inventory is not None:
        return described(devices.inventory)
    if devices.simulated:
        return simulator(devices.simulated_chip, devices.simulated_chips)
    return listed()
