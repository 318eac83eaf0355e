"""`voicemesh up` with an engine on a chip: the chip's owner is one of its processes."""

from __future__ import annotations

import asyncio
import os
import platform
import signal
from pathlib import Path
from typing import Any

import grpc.aio
import psutil
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from voicemesh.errors import SettingsError
from voicemesh.supervisor import Mesh
from voicemesh.supervisor.plan import make_plan

pytestmark = pytest.mark.skipif(
    platform.machine() != "x86_64", reason="the vendor's simulator runs on x86-64 alone"
)


def _flags(assets: Path) -> dict[str, str]:
    bert, vits = (
        f"{assets}/vits/bm1688/{name}.bmodel"
        for name in (
            "bert_f16_1core",
            "vits_chinese_128_bm1688_f16_1core",
        )
    )
    return {
        "devices.backend": "cmodel",
        "devices.tts.cores": "[1]",
        "tts.engine": "sophon-vits",
        "tts.sophon_vits.model_files": f'["{bert}", "{vits}"]',
        "tts.sophon_vits.vocabulary_file": f"{assets}/vits/vocab.txt",
    }


async def test_a_killed_owner_is_replaced_and_its_service_serves_again(
    assets: Path, tmp_path: Path
) -> None:
    state = tmp_path / "state.json"
    async with Mesh(["tts"], flags=_flags(assets), ephemeral=True, state=state) as mesh:
        owner, tts = mesh.owners["chip-0"], mesh.services["tts"]
        folder = Path(owner.planned.target).parent
        first, service = owner.pid, tts.pid
        assert str(first) in state.read_text()
        async with grpc.aio.insecure_channel(tts.planned.target) as channel:
            health: Any = health_pb2_grpc.HealthStub(channel)  # Its stub has no types.
            watch = health.Watch(health_pb2.HealthCheckRequest())
            os.kill(first, signal.SIGKILL)
            states: list[int] = []
            async for news in watch:
                if not states or states[-1] != news.status:
                    states.append(news.status)
                if states[-2:] == [
                    health_pb2.HealthCheckResponse.NOT_SERVING,
                    health_pb2.HealthCheckResponse.SERVING,
                ]:
                    break
            watch.cancel()
        await owner.wait_serving(restarts=1)
        assert (tts.pid, tts.restarts) == (service, 0)  # The engine was lost, not the service.
        second = owner.pid
    assert not psutil.pid_exists(second)
    assert not await asyncio.to_thread(folder.exists)


def test_owners_are_planned_for_the_chips_that_engines_sit_on(assets: Path) -> None:
    flags = _flags(assets) | {"devices.socket_folder": "/run/chips"}
    (owner,) = make_plan(["tts"], None, flags, ephemeral=True).owners
    assert (owner.name, owner.target) == ("chip-0", "/run/chips/chip-0.socket")
    assert make_plan(["asr", "llm"], None, flags, ephemeral=True).owners == ()
    with pytest.raises(SettingsError, match="core"):
        make_plan(["tts"], None, flags | {"devices.tts.cores": "[7]"}, ephemeral=True)
