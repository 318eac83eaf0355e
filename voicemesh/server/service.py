"""What a room gives to the chassis."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar

import grpc.aio

from voicemesh.errors import Unavailable
from voicemesh.server.admission import Admission
from voicemesh.settings import ServerSettings, Settings
from voicemesh.v1 import common_pb2, operations_pb2
from voicemesh_sophon.placement import Placement
from voicemesh_sophon.watch import ChipWatch

LOADING_RETRY_MS = 200
"""How soon to ask again. Refusals are cheap, and a caller waits for what comes next."""


class Service(ABC):
    """One service of the mesh within its process."""

    name: ClassVar[str]
    """asr, llm, tts, orchestrator: also the name of its settings section."""
    stage: ClassVar[common_pb2.Stage.ValueType]

    settings: ServerSettings
    admission: Admission
    """Its slots: what a drain refuses and waits for."""
    placement: Placement | None = None
    """Where its engine sits, when that is a chip of its own kind. The chassis then
    watches the chip's owner; while it is lost, the service is not serving."""
    chip: ChipWatch | None = None
    """What the chassis watches, and what the chip's owner tells."""

    @abstractmethod
    async def load(self) -> None:
        """Load engines and warm them up. After it the service is ready."""

    async def unload(self) -> None:
        """Give up the engine after its chip was lost; ``load`` comes again. Never raises.

        New callers are refused with Unavailable until then. A service with a
        ``placement`` has one.
        """
        raise NotImplementedError

    def still_loading(self) -> Unavailable:
        """The refusal of callers who come while no engine is loaded.

        It says when to ask again, which the orchestrator does. To be raised once the
        first request has been read: gRPC hides refusals that come before.
        """
        return Unavailable(
            f"{self.name}: the engine is still loading; try again shortly",
            stage=self.stage,
            retry_after_ms=LOADING_RETRY_MS,
        )

    @abstractmethod
    def register(self, server: grpc.aio.Server) -> Sequence[str]:
        """Add the servicers; returns the full names of their gRPC services."""

    @abstractmethod
    def describe(self, response: operations_pb2.DescribeResponse) -> None:
        """Fill in engine, model, slots and capabilities."""

    def live_turns(self) -> Sequence[operations_pb2.LiveTurn]:
        """The turns that are under way."""
        return ()

    def devices(self) -> Sequence[operations_pb2.Device]:
        """The devices in use: the engine's chip, or else the CPU."""
        if self.chip is not None:
            return (_chip_device(self.chip),)
        return (operations_pb2.Device(name="cpu", kind="cpu", healthy=True),)

    @abstractmethod
    async def drain(self, notice: common_pb2.DrainNotice) -> None:
        """Send ``notice`` on the streams under way; new ones are refused already."""

    @abstractmethod
    async def close(self) -> None:
        """Free engines and devices."""


def _chip_device(chip: ChipWatch) -> operations_pb2.Device:
    told = chip.news.get("condition", {})
    simulated = chip.greeting.get("simulated", False)
    device = operations_pb2.Device(
        name=chip.name,
        kind="simulated tpu" if simulated else "tpu",
        memory_total_bytes=int(told.get("memory_total_bytes", 0)),
        memory_used_bytes=int(told.get("memory_used_bytes", 0)),
        healthy=not chip.fault,
        fault=chip.fault,
    )
    if "utilisation" in told:
        device.utilisation = told["utilisation"]
    if "temperature_celsius" in told:
        device.temperature_celsius = told["temperature_celsius"]
    return device


@dataclass(frozen=True)
class ServiceSpec:
    """A service as its room announces it under ``voicemesh.services``."""

    name: str
    summary: str
    factory: Callable[[Settings], Service]
    in_mesh: bool = True
    """Whether `voicemesh up` starts it without being asked for it by name."""
