"""``[devices]``: the Sophgo chips of this machine, and which service has what of them."""

from __future__ import annotations

import os
import tempfile
from importlib.machinery import PathFinder
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

from pydantic import Field, field_validator

from voicemesh.settings import Section
from voicemesh_sophon.chip_owner.model_checks import EVERY_S as CHECK_EVERY_S
from voicemesh_sophon.chip_owner.scheduler import LAUNCH_WITHIN_S

KIND = "sophon"
"""What an EngineSpec calls the kind of device, and ``voicemesh.devices`` announces."""
SERVICES = ("asr", "llm", "tts")
"""The services whose engines can run on a chip."""

# sun_path of a Unix socket's address holds 108 bytes, its end mark included.
_LONGEST_SOCKET = 107


class Place(Section):
    """``[devices.asr]``, ``[devices.llm]``, ``[devices.tts]``: where one engine runs."""

    card: int = Field(0, ge=0, description="The card, counted from 0. A SoC box has card 0 alone.")
    chip: int = Field(0, ge=0, description="The chip on that card, counted from 0.")
    cores: tuple[int, ...] = Field(
        (),
        description="The chip's cores that the engine's launches may use, such as [0] or [0, 1] of "
        "a BM1688; empty: the runtime chooses. A model needs as many as it was compiled for.",
    )
    memory_mb: int | None = Field(
        None,
        gt=0,
        description="The most device memory in MiB that the engine may take; not set: what the "
        "chip has. `voicemesh plan` tells what the models need.",
    )

    @field_validator("cores")
    @classmethod
    def _distinct(cls, cores: tuple[int, ...]) -> tuple[int, ...]:
        if len(set(cores)) != len(cores) or any(core < 0 for core in cores):
            raise ValueError("cores are counted from 0 and named once each, such as [0, 1]")
        return cores


class DevicesSettings(Section):
    """``[devices]``."""

    backend: Literal["auto", "sail", "cmodel"] = Field(
        "auto",
        description="What runs the engines that need a chip: sail, the vendor's library on a real "
        "chip; cmodel, the vendor's simulator, slow, on any x86-64 Linux. auto is sail: nothing "
        "is simulated by accident.",
    )
    simulated_chip: Literal["bm1688", "bm1684x"] = Field(
        "bm1688", description="The chip that the simulator is; the BM1684X takes longer."
    )
    simulated_chips: int = Field(
        1,
        ge=1,
        le=16,
        description="Chips on the simulated card, each a process of its own. Several services that "
        "load at once can bring the simulator of a BM1684X down: give each a chip.",
    )
    owner_python: Path | None = Field(
        None,
        description="The Python that has the vendor's sophon.sail, 3.8 or newer, such as "
        "/usr/bin/python3 of a board; not set: the Python of the services.",
    )
    inventory: Path | None = Field(
        None,
        description="A file that describes the cards and chips (docs/sophon.md), for machines that "
        "do not tell themselves; not set: what the driver lists.",
    )
    launch_within_s: float = Field(
        LAUNCH_WITHIN_S,
        gt=0,
        description="Seconds after which a launch has hung: its chip's owner ends and is "
        "replaced, and the services on it load again. 50: the longest published launch takes "
        "1.2 s, and a service gives an engine up after 60 s. Large models on the simulator may "
        "need more.",
    )
    check_models_every_s: float = Field(
        CHECK_EVERY_S,
        ge=0,
        description="Seconds between two checks, while nobody works on a chip, whether its models "
        "still answer a fixed question as when they were loaded; 0: never. 60: a round takes about "
        "2 s of the chip, and wrong answers are found within about a minute of rest.",
    )
    socket_folder: Path | None = Field(
        None,
        description="Where the chips' owners listen; not set: voicemesh/ in $XDG_RUNTIME_DIR, "
        "else a folder of this user's in the temporary folder.",
    )
    asr: Place = Field(default_factory=Place, description="Where the recogniser runs.")
    llm: Place = Field(default_factory=Place, description="Where the language model runs.")
    tts: Place = Field(default_factory=Place, description="Where the synthesis runs.")

    @field_validator("simulated_chip", mode="before")
    @classmethod
    def _lower(cls, name: object) -> object:
        """The vendor writes BM1688."""
        return name.lower() if isinstance(name, str) else name

    @field_validator("socket_folder")
    @classmethod
    def _short_enough(cls, folder: Path | None) -> Path | None:
        if folder is not None and len(os.fsencode(folder / _socket_name(99))) > _LONGEST_SOCKET:
            raise ValueError("Unix sockets allow no path that long; choose a shorter folder")
        return folder

    @property
    def simulated(self) -> bool:
        """Whether the chips are simulated."""
        return self.backend == "cmodel"

    def place(self, service: str) -> Place:
        """The place of a service."""
        place: Place = getattr(self, service)
        return place

    def socket(self, device: int) -> Path:
        """Where the owner of a chip listens."""
        return (self.socket_folder or default_folder()) / _socket_name(device)


def has_sail() -> bool:
    """Whether the vendor's library is installed for this Python. Nothing is imported."""
    package = find_spec("sophon")
    folders = package.submodule_search_locations if package is not None else None
    return folders is not None and PathFinder.find_spec("sophon.sail", folders) is not None


def has_other_sophon() -> bool:
    """Whether a package of the vendor's name is installed that is another one."""
    package = find_spec("sophon")
    return package is not None and package.origin is not None and not has_sail()


def _socket_name(device: int) -> str:
    return f"chip-{device}.socket"


def default_folder() -> Path:
    """The folder of the owners' sockets where none is set."""
    runtime = os.environ.get("XDG_RUNTIME_DIR")
    if runtime:
        return Path(runtime) / "voicemesh"
    return Path(tempfile.gettempdir()) / f"voicemesh-{os.getuid()}"
