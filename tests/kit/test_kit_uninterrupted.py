"""Clean-up that is not cut short by whoever cancels its caller."""

import asyncio

import pytest

from voicemesh.aio import uninterrupted


@pytest.mark.parametrize("cancels", [1, 2, 5])
async def test_work_is_done_before_any_cancel_takes_effect(cancels: int) -> None:
    may_end = asyncio.Event()
    ended = asyncio.Event()

    async def work() -> None:
        await may_end.wait()
        ended.set()

    caller = asyncio.ensure_future(uninterrupted(work(), "work"))
    for _ in range(cancels):
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        caller.cancel()
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert not caller.done()
    may_end.set()
    with pytest.raises(asyncio.CancelledError):
        await caller
    assert ended.is_set()
