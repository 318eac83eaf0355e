"""A service whose engine sits on a chip: it serves exactly as long as the chip's owner lives."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, ClassVar

import grpc.aio
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from prometheus_client import REGISTRY

from voicemesh.errors import DeviceMissing, Unavailable
from voicemesh.server import Admission, Server, Service
from voicemesh.settings import ServerSettings
from voicemesh.v1 import common_pb2, operations_pb2
from voicemesh.v1.operations_pb2_grpc import OperationsServiceStub
from voicemesh_sophon.client import Chip, Launch
from voicemesh_sophon.service_chip import ServiceChip

from .owners import ScriptedOwner

Scripted = Callable[..., ScriptedOwner]
SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING


class BertService(Service):
    """Does with its engine what the rooms' services do with theirs."""

    name: ClassVar[str] = "tts"
    stage = common_pb2.STAGE_TTS

    def __init__(self, owner: ScriptedOwner, file: Path) -> None:
        self.settings = ServerSettings(port=0, metrics_port=-1, drain_grace_s=0.1)
        self.admission = Admission(1, "launches")
        self.device: ServiceChip = ServiceChip(owner.placement("tts"))
        self.loads = 0
        self.chip_client: Chip | None = None
        self._file = file

    async def load(self) -> None:
        self.launch = await asyncio.to_thread(self._load)
        self.loads += 1

    def _load(self) -> Launch:
        chip = self.chip_client = Chip.open(self.device.placement)
        net = chip.load(self._file).nets["bert"]
        ids, output = chip.tensor((1, 64), "int32"), chip.tensor((1, 64, 256), "float32")
        chip.run([launch := Launch(net, [ids, ids, ids], [output])])
        return launch

    async def unload(self) -> None:
        await self.close()

    def register(self, server: grpc.aio.Server) -> Sequence[str]:
        return []

    def describe(self, response: operations_pb2.DescribeResponse) -> None:
        response.engine = "bert"

    async def drain(self, notice: common_pb2.DrainNotice) -> None:
        pass

    async def close(self) -> None:
        if self.chip_client is not None:
            self.chip_client.close()


async def _becomes(watch: Any, status: int) -> None:
    async for news in watch:
        if news.status == status:
            return
    raise AssertionError("the watch has ended")


@pytest.fixture
def bert(assets: Path) -> Path:
    return assets / "vits/bm1688/bert_f16_1core.bmodel"


async def test_a_service_stops_serving_with_its_chips_owner_and_serves_again_with_the_next(
    scripted: Scripted, bert: Path
) -> None:
    owner = scripted()
    service = BertService(owner, bert)
    server = Server(service)
    try:
        await server.start()
        async with grpc.aio.insecure_channel(f"127.0.0.1:{server.port}") as channel:
            health: Any = health_pb2_grpc.HealthStub(channel)  # Its stub has no types.
            operations = OperationsServiceStub(channel)
            watch = health.Watch(health_pb2.HealthCheckRequest())
            await _becomes(watch, SERVING)
            owner.process.kill()
            await _becomes(watch, NOT_SERVING)
            assert service.chip_client is not None
            with pytest.raises(Unavailable):
                await asyncio.to_thread(service.chip_client.run, [service.launch])
            described = await operations.Describe(operations_pb2.DescribeRequest())
            assert described.state == operations_pb2.PROCESS_STATE_FAILED
            devices = await operations.ListDevices(operations_pb2.ListDevicesRequest())
            assert not devices.devices[0].healthy
            assert devices.devices[0].fault

            following = await asyncio.to_thread(ScriptedOwner, owner.folder)
            await _becomes(watch, SERVING)
            assert service.loads == 2
            await asyncio.to_thread(service.chip_client.run, [service.launch])
            (device,) = (await operations.ListDevices(operations_pb2.ListDevicesRequest())).devices
            assert (device.name, device.healthy) == ("bm1688:0", True)
            assert not device.HasField("temperature_celsius")  # As on a SoC.
            following.clean_up()
    finally:
        await server.stop()


async def test_a_service_without_an_owner_does_not_start_and_names_the_cure(
    scripted: Scripted, bert: Path
) -> None:
    owner = scripted()
    owner.stop()
    server = Server(BertService(owner, bert))
    try:
        with pytest.raises(DeviceMissing, match="nobody owns chip 0 .*`voicemesh up` starts"):
            await server.start()
    finally:
        await server.stop()


async def test_launches_and_memory_are_among_the_services_metrics(
    scripted: Scripted, bert: Path
) -> None:
    service = BertService(scripted(), bert)
    server = Server(service)
    try:
        await server.start()
        labels = {"chip": "bm1688:0", "service": "tts"}

        def launches() -> float | None:
            return REGISTRY.get_sample_value(
                "voicemesh_chip_launch_seconds_count", labels | {"graph": "bert"}
            )

        while launches() is None:  # The service hears of its launches with the next news.
            service.device.told.clear()
            await asyncio.wait_for(service.device.told.wait(), 20)
        assert launches() == 1
        assert REGISTRY.get_sample_value("voicemesh_chip_wait_seconds_count", labels) == 1
        memory = REGISTRY.get_sample_value("voicemesh_chip_service_memory_bytes", labels)
        assert memory is not None
        assert memory > 64 * 256 * 4  # The output alone.
        told = {"chip": "bm1688:0"}
        assert REGISTRY.get_sample_value("voicemesh_chip_utilisation_ratio", told) == 0.3
        names = {metric.name for metric in REGISTRY.collect()}
        assert "voicemesh_chip_temperature_celsius" not in names  # As on a SoC.
    finally:
        await server.stop()
    assert REGISTRY.get_sample_value("voicemesh_chip_waiting", labels) is None
