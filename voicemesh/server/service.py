"""The base of a service, and how its room announces it: what a room gives to the chassis."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import grpc.aio

from voicemesh.devices import DeviceWatch
from voicemesh.errors import Unavailable
from voicemesh.server.admission import Admission
from voicemesh.settings import ServerSettings, Settings
from voicemesh.v1 import common_pb2, operations_pb2

LOADING_RETRY_MS = 200
"""How soon to ask again. Refusals are cheap, and a caller waits for what comes next."""


class Service(ABC):
    """One service of the mesh within its process."""

    name: ClassVar[str]
    """What the mesh calls it, such as ``asr``: also the name of its settings section."""
    stage: ClassVar[common_pb2.Stage.ValueType]

    settings: ServerSettings
    admission: Admission
    """Its slots: what a drain refuses and waits for."""
    device: DeviceWatch | None = None
    """What its engine works on, where that is more than this process's processors. The
    chassis watches it; while it is lost, the service is not serving."""

    on_serving: Callable[[str], None] | None = None
    """Told the address as soon as the service is loaded and reached there."""

    @property
    def placement(self) -> Any:
        """Where on its device the engine sits, for the engine's factory; None: it has none."""
        return None if self.device is None else self.device.placement

    @abstractmethod
    async def load(self) -> None:
        """Load engines and warm them up. After it the service is ready."""

    async def unload(self) -> None:
        """Give up the engine after its device was lost; ``load`` comes again. Never raises.

        New callers are refused with Unavailable until then. A service with a
        ``device`` has this method.
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
        """The devices in use: the engine's own, or else the CPU."""
        if self.device is not None:
            return (self.device.described(),)
        return (operations_pb2.Device(name="cpu", kind="cpu", healthy=True),)

    @abstractmethod
    async def drain(self, notice: common_pb2.DrainNotice) -> None:
        """Send ``notice`` on the streams under way; new ones are refused already."""

    @abstractmethod
    async def close(self) -> None:
        """Free engines and devices."""


@dataclass(frozen=True)
class ServiceSpec:
    """A service as its room announces it under ``voicemesh.services``."""

    name: str
    summary: str
    factory: Callable[[Settings], Service]
    in_mesh: bool = True
    """Whether `voicemesh up` starts it without being asked for it by name."""
    front: bool = False
    """Whether it is the one that clients dial. It uses the others, so it stops first."""
    dials: Mapping[str, str] = field(default_factory=dict, hash=False)
    """The services that it uses, each with the setting that says where it is; in a mesh
    that is started as a whole the supervisor sets them."""
