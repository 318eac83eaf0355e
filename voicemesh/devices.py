"""Devices that engines work on, such as an accelerator: what the kit knows of them.

A distribution for a kind of device announces a :class:`DeviceKind` under the
entry-point group ``voicemesh.devices``, and an engine names the kind that it works on
in its :class:`~voicemesh.registry.EngineSpec`. The kit then watches the device for
the service, starts the processes that own devices ahead of the services, and asks
the kind what ``voicemesh doctor`` and ``voicemesh up`` have to say of it. An engine
without a kind works on the processors of its own process.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from voicemesh.errors import EngineMissing
from voicemesh.registry import EngineSpec, Probe, installed, installed_names, installed_one

if TYPE_CHECKING:
    from pathlib import Path

    from voicemesh.check import Check
    from voicemesh.settings import Settings
    from voicemesh.v1 import operations_pb2

DEVICES = "voicemesh.devices"
"""The entry-point group of the kinds."""


class DeviceWatch(Protocol):
    """A service's view of the device that its engine works on."""

    @property
    def name(self) -> str:
        """What people and metrics call the device, such as ``bm1688:0``."""

    @property
    def placement(self) -> Any:
        """Where on the device the engine sits; handed to the engine's factory."""

    async def connect(self) -> None:
        """Begin to watch; Unavailable, with the cure, where the device is not there."""

    async def lost(self) -> str:
        """Wait until the device is lost; returns why. ``connect`` may be called again."""

    def described(self) -> operations_pb2.Device:
        """The device as OperationsService tells it."""

    async def close(self) -> None:
        """Watch no more. Never raises."""


class PlannedProcess(Protocol):
    """A process of a mesh, which the supervisor starts, watches and replaces."""

    @property
    def name(self) -> str:
        """What people call it."""

    @property
    def target(self) -> str:
        """Where it is reached from here."""

    @property
    def drain_grace_s(self) -> float:
        """How long it may take to stop, in seconds."""

    def command(self, settings: Sequence[str], instance: str) -> list[str]:
        """Its command line; ``settings`` are arguments for it.

        ``instance`` names this one process, so that ``ready`` takes no other for it.
        """

    async def ready(self, instance: str) -> None:
        """Wait until that process works, however long that takes."""

    async def answers(self, within_s: float) -> bool:
        """Whether it says anything at all in that time; asked while it works."""


class PlannedOwner(PlannedProcess, Protocol):
    """A process that owns a device for the services."""

    async def described(self) -> Mapping[str, Any]:
        """What it says of its device, as JSON can hold it; empty where it does not answer."""


@dataclass(frozen=True)
class DeviceOutline:
    """What sits where on the devices of a kind, and whether it can work."""

    lines: Sequence[str]
    """For people."""
    report: Mapping[str, Any]
    """The same as JSON can hold it; ``findings`` in it is a list of objects with ``severity``
    (fail, warn, note), ``field`` and ``text``."""


@dataclass(frozen=True)
class DeviceTrial:
    """How it went to try out all devices of a kind."""

    checks: Mapping[str, Sequence[Check]]
    """What was found, by heading."""
    report: Mapping[str, Any]
    """For others to read, as JSON can hold it: no texts, no audio, no names of machine or user."""


class DeviceKind(ABC):
    """A kind of device. Nothing here loads a model, but for ``try_out``."""

    folder_setting: str = ""
    """The setting of the folder in which owners listen: a mesh on free ports has one of its
    own. Empty: there is none."""

    @abstractmethod
    def watch(self, settings: Settings, service: str) -> DeviceWatch:
        """The device of ``service``'s engine, not yet connected.

        SettingsError where the engine cannot sit where the settings place it.
        """

    @abstractmethod
    def owners(self, settings: Settings, services: Sequence[str]) -> Sequence[PlannedOwner]:
        """The processes that own the devices of these services' engines; started first.

        SettingsError as ``watch``.
        """

    @abstractmethod
    def warnings(self, settings: Settings) -> Sequence[str]:
        """What works badly in the way that engines are placed, in a sentence each."""

    @abstractmethod
    def probe(self, settings: Settings) -> Probe:
        """Whether a device of this kind can be used here."""

    @abstractmethod
    def outline(self, settings: Settings, inventory: Path | None) -> DeviceOutline:
        """What ``voicemesh plan`` tells; nothing is opened but to be counted.

        ``inventory``: a file that describes the devices, None: those that are here.
        SettingsError where the file is wrong.
        """

    @abstractmethod
    def try_out(self, settings: Settings, checked: Sequence[Check]) -> DeviceTrial:
        """Work on each device for a moment; takes minutes. ``checked``: of the settings."""


def device_kinds() -> dict[str, DeviceKind]:
    """All kinds that are installed here, by name."""
    return installed(DEVICES)


def kind_of(spec: EngineSpec) -> DeviceKind | None:
    """The kind of device that an engine works on; None: it needs none.

    EngineMissing, with the cure, where nothing installed here knows the kind.
    """
    if not spec.device:
        return None
    if spec.device not in installed_names(DEVICES):
        missing = missing_kind(spec)
        raise EngineMissing(f"{missing.reason}; {missing.cure}")
    kind: DeviceKind = installed_one(DEVICES, spec.device)
    return kind


def missing_kind(spec: EngineSpec) -> Probe:
    """What is to say of an engine whose kind of device nothing installed here knows."""
    package = spec.extra or f"voicemesh-{spec.device}"
    return Probe(
        False,
        f"{spec.name} works on a device of kind {spec.device}, which nothing installed here knows",
        f"pip install '{package}'",
    )


def watch_for(spec: EngineSpec, settings: Settings, service: str) -> DeviceWatch | None:
    """The device of ``service``, whose engine ``spec`` is; None where it needs none.

    Errors as :func:`kind_of` and :meth:`DeviceKind.watch`.
    """
    kind = kind_of(spec)
    return None if kind is None else kind.watch(settings, service)
