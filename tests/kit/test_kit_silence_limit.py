from __future__ import annotations

import asyncio

import pytest

from voicemesh.aio import SilenceLimit


async def test_silence_ends_the_body() -> None:
    limit = SilenceLimit(0.02)
    with pytest.raises(TimeoutError):
        async with limit:
            await asyncio.Event().wait()
    assert limit.expired


async def test_signs_of_life_put_the_end_off() -> None:
    begun = asyncio.get_running_loop().time()
    async with SilenceLimit(0.2) as limit:
        while asyncio.get_running_loop().time() < begun + 0.5:
            limit.heard()
            await asyncio.sleep(0)
    assert not limit.expired


async def test_another_timeout_within_is_not_taken_for_silence() -> None:
    limit = SilenceLimit(60.0)
    with pytest.raises(TimeoutError):
        async with limit:
            raise TimeoutError
    assert not limit.expired


async def test_nothing_is_left_to_fire_after_the_body() -> None:
    async with SilenceLimit(0.01) as limit:
        pass
    later = asyncio.Event()  # Timers fire in the order in which they are due.
    asyncio.get_running_loop().call_later(0.02, later.set)
    await later.wait()
    assert not limit.expired


async def test_silence_that_does_not_count_begins_anew_when_it_does() -> None:
    asked: list[bool] = []

    def counts() -> bool:
        asked.append(len(asked) >= 3)
        return asked[-1]

    limit = SilenceLimit(0.02, counts)
    with pytest.raises(TimeoutError):
        async with limit:
            await asyncio.Event().wait()
    assert limit.expired
    assert asked[:3] == [False] * 3
