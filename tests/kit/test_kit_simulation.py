from __future__ import annotations

import asyncio

from voicemesh.simulation import SimulatedDevice


async def _work(device: SimulatedDevice, seconds: float, name: str, ended: list[str]) -> None:
    async with device.job() as job:
        await job.reach(seconds)
        assert job.elapsed_s >= seconds - 0.002  # Event loops count in milliseconds.
        ended.append(name)


async def test_a_device_without_a_limit_works_on_everything_at_once() -> None:
    device, ended = SimulatedDevice(0), list[str]()
    await asyncio.gather(_work(device, 0.05, "long", ended), _work(device, 0.0, "short", ended))
    assert ended == ["short", "long"]


async def test_whoever_finds_the_device_busy_waits_in_order() -> None:
    device, ended = SimulatedDevice(1), list[str]()
    await asyncio.gather(
        _work(device, 0.05, "first", ended),
        _work(device, 0.02, "second", ended),
        _work(device, 0.0, "third", ended),
    )
    assert ended == ["first", "second", "third"]


async def test_a_job_that_is_given_up_frees_its_place() -> None:
    device, ended = SimulatedDevice(1), list[str]()
    task = asyncio.ensure_future(_work(device, 60.0, "never", ended))
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await _work(device, 0.0, "next", ended)
    assert ended == ["next"]
