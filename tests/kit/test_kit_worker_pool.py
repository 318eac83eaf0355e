"""Pools of child processes that hold engines."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import psutil
import pytest

from voicemesh.errors import Busy, EngineError, EngineMissing
from voicemesh.workers import ProcessPool

COUNTER = "toyroom.worker_engine:make"

pytestmark = pytest.mark.usefixtures("toyroom")


@asynccontextmanager
async def _pool(size: int) -> AsyncIterator[ProcessPool]:
    pool = ProcessPool(COUNTER, {}, "counters", size)
    await pool.start()
    try:
        yield pool
    finally:
        await pool.close()


async def test_a_pool_lends_each_worker_once_and_is_busy_at_once() -> None:
    async with _pool(2) as pool:
        first, second = pool.lease(), pool.lease()
        assert first is not second
        with pytest.raises(Busy, match="all 2 workers of counters are taken"):
            pool.lease()
        assert pool.in_use == 2
        pool.release(first)
        assert pool.lease() is first


async def test_a_pool_replaces_a_worker_that_died_in_a_call() -> None:
    async with _pool(1) as pool:
        worker = pool.lease()
        with pytest.raises(EngineError):
            await worker.call("die")
        pool.release(worker)
        async with pool.borrow() as other:
            assert other is not worker
            assert await other.call("add", 1, 1) == 2


async def test_a_pool_replaces_a_worker_that_died_while_idle() -> None:
    async with _pool(1) as pool:
        worker = pool.lease()
        pool.release(worker)
        psutil.Process(worker.pid).kill()
        await worker.ended()
        async with pool.borrow() as other:
            assert other is not worker
            assert await other.call("add", 1, 1) == 2


async def test_a_worker_that_comes_back_while_its_pool_closes_is_ended_too() -> None:
    async with _pool(1) as pool:
        worker = pool.lease()

        async def give_back() -> None:
            pool.release(worker)

        await asyncio.gather(pool.close(), give_back())  # Begun in this order.
        assert not psutil.pid_exists(worker.pid)


async def test_a_pool_that_closes_waits_for_the_end_of_a_worker_that_was_killed() -> None:
    others = set(psutil.Process().children())  # Of tests that ran in this process before.
    async with _pool(1) as pool:
        worker = pool.lease()
        pool.release(worker)
        psutil.Process(worker.pid).kill()
        await worker.ended()
        await pool.close()  # Another is about to be started.
    assert set(psutil.Process().children()) <= others
    gc.collect()  # Nor is a socket to it left open, which would be a warning here.


async def test_borrowers_are_served_in_the_order_they_came() -> None:
    async with _pool(1) as pool:
        served: list[int] = []

        async def work(number: int) -> None:
            async with pool.borrow() as worker:
                served.append(number)
                await worker.call("add", 1, 1)

        held = pool.lease()
        tasks = []
        for number in range(5):
            tasks.append(asyncio.ensure_future(work(number)))
            await asyncio.sleep(0)
        assert pool.waiting == 5
        tasks[1].cancel()
        await asyncio.sleep(0)
        pool.release(held)
        await asyncio.gather(*tasks, return_exceptions=True)
        assert served == [0, 2, 3, 4]
        assert pool.in_use == 0


async def test_more_borrowers_than_may_wait_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("voicemesh.workers.pool._MAX_WAITING", 1)
    async with _pool(1) as pool:
        pool.lease()
        waiting = asyncio.ensure_future(pool.borrow().__aenter__())
        await asyncio.sleep(0)
        with pytest.raises(Busy):
            await pool.borrow().__aenter__()
        waiting.cancel()


async def test_a_pool_that_closes_tells_those_who_wait() -> None:
    async with _pool(1) as pool:
        pool.lease()
        waiting = asyncio.ensure_future(pool.borrow().__aenter__())
        await asyncio.sleep(0)
        await pool.close()
        with pytest.raises(EngineError, match="closing"):
            await waiting


async def test_a_pool_whose_workers_cannot_start_says_why() -> None:
    pool = ProcessPool("toyroom.worker_engine:fail", {}, "counters", 2)
    with pytest.raises(EngineMissing, match="install one"):
        await pool.start()


async def test_a_child_that_hangs_is_killed_and_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    async with _pool(1) as pool:
        worker = pool.lease()
        with monkeypatch.context() as patch:
            patch.setattr("voicemesh.workers.process.HANG_S", 0.2)
            stuck = worker.stream("hang")
            assert await anext(stuck) == 0
            with pytest.raises(EngineError, match="hung for 0.2 s"):
                await anext(stuck)
        await worker.ended()
        pool.release(worker)
        async with pool.borrow() as another:
            assert another.pid != worker.pid
            assert await another.call("add", 1, 1) == 2
