"""The owner of a chip as one of the processes of a mesh."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from voicemesh.errors import Unavailable
from voicemesh_sophon.checking.probing import owner_news
from voicemesh_sophon.devices import DevicesSettings
from voicemesh_sophon.owner_process import owner_command
from voicemesh_sophon.placing.placement import Placement
from voicemesh_sophon.watch import ChipWatch

_KNOCK_S = 0.05


@dataclass(frozen=True)
class PlannedChipOwner:
    """The owner of one chip, which the supervisor starts ahead of the services."""

    device: int
    """The runtime's number of the chip."""
    devices: DevicesSettings
    drain_grace_s: float = 0.0

    @property
    def name(self) -> str:
        """What people call it."""
        return f"chip-{self.device}"

    @property
    def target(self) -> str:
        """Its socket."""
        return str(self.devices.socket(self.device))

    def command(self, settings: Sequence[str], instance: str) -> list[str]:
        """Its command line, which knows what it needs of the settings."""
        return owner_command(self.devices, self.device, os.getpid())

    async def ready(self, instance: str) -> None:
        """Wait until it answers. Its socket is its own: nobody else can have it."""
        watch = ChipWatch(Placement("watch", self.devices.socket(self.device), self.device))
        while True:
            try:
                await watch.connect()
                break
            except Unavailable:
                await asyncio.sleep(_KNOCK_S)
        await watch.close()

    async def answers(self, within_s: float) -> bool:
        """Not asked: it may load for minutes, and ends by itself where the chip hangs."""
        return True

    async def described(self) -> Mapping[str, Any]:
        """The chip, its software, and the services that work on it now."""
        news = await asyncio.to_thread(owner_news, self.devices.socket(self.device), self.device)
        if news is None:
            return {}
        return {
            "device": self.device,
            "target": news.target,
            "simulated": news.simulated,
            "services": sorted(news.services),
            "versions": news.versions,
        }
