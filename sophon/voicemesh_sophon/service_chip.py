"""The chip that a service's engine works on: watched, described, exported as metrics."""

from __future__ import annotations

from voicemesh.v1 import operations_pb2
from voicemesh_sophon.metrics import CHIPS, LOSSES
from voicemesh_sophon.watch import ChipWatch


class ServiceChip(ChipWatch):
    """A ChipWatch whose news are metrics of this process for as long as it is connected."""

    async def connect(self) -> None:
        """See ChipWatch."""
        await super().connect()
        CHIPS.add(self)

    async def lost(self) -> str:
        """See ChipWatch."""
        why = await super().lost()
        LOSSES.labels(self.placement.service, self.cause).inc()
        return why

    async def close(self) -> None:
        """See ChipWatch."""
        CHIPS.remove(self)
        await super().close()

    def described(self) -> operations_pb2.Device:
        """The chip as OperationsService tells it."""
        told = self.news.get("condition", {})
        simulated = self.greeting.get("simulated", False)
        device = operations_pb2.Device(
            name=self.name,
            kind="simulated tpu" if simulated else "tpu",
            memory_total_bytes=int(told.get("memory_total_bytes", 0)),
            memory_used_bytes=int(told.get("memory_used_bytes", 0)),
            healthy=bool(self.greeting) and not self.fault,
            fault=self.fault,
        )
        if "utilisation" in told:
            device.utilisation = told["utilisation"]
        if "temperature_celsius" in told:
            device.temperature_celsius = told["temperature_celsius"]
        return device
