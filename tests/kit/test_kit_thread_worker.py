"""Engines in threads."""

from __future__ import annotations

import asyncio
import gc
import threading

import pytest

from voicemesh.errors import EngineError
from voicemesh.server.hung_engine import EXIT_STATUS, end_when_an_engine_hangs
from voicemesh.work_counter import WorkCounter
from voicemesh.workers import ThreadWorker
from voicemesh.workers.thread import longest_call

COUNTER = "toyroom.worker_engine:make"

pytestmark = pytest.mark.usefixtures("toyroom")


async def test_a_thread_worker_runs_calls_in_order_off_the_event_loop() -> None:
    worker = ThreadWorker("device")
    ran: list[tuple[int, int]] = []

    def work(number: int) -> int:
        ran.append((number, threading.get_ident()))
        return number

    assert await asyncio.gather(*(worker.run(work, n) for n in range(5))) == [0, 1, 2, 3, 4]
    worker.close()
    assert [number for number, _ in ran] == [0, 1, 2, 3, 4]
    assert len({thread for _, thread in ran}) == 1
    assert ran[0][1] != threading.get_ident()


async def test_a_cancelled_call_that_is_counted_is_waited_for_and_one_that_waits_is_dropped() -> (
    None
):
    worker, begun, go_on = ThreadWorker("device"), threading.Event(), threading.Event()
    counters = [WorkCounter(), WorkCounter()]
    ran: list[WorkCounter] = []

    def work(counter: WorkCounter) -> None:
        begun.set()
        assert go_on.wait(30)
        counter.spend()
        ran.append(counter)

    calls = [asyncio.create_task(worker.spend(counter, work, counter)) for counter in counters]
    assert await asyncio.to_thread(begun.wait, 30)
    for call in (*calls, *calls):
        call.cancel()
        await asyncio.sleep(0)
    assert [call.done() for call in calls] == [False, True]
    go_on.set()
    for call in calls:
        with pytest.raises(asyncio.CancelledError):
            await call
    assert ran == counters[:1]
    assert [(counter.made, counter.late) for counter in counters] == [(1, 1), (0, 0)]
    assert await worker.run(len, "free") == 4
    worker.close()


async def test_what_a_call_that_nobody_waits_for_fails_with_is_nobodys_business(
    caplog: pytest.LogCaptureFixture,
) -> None:
    worker, begun, go_on = ThreadWorker("device"), threading.Event(), threading.Event()

    def fail() -> None:
        begun.set()
        assert go_on.wait(30)
        raise EngineError("the chip has gone")

    call = asyncio.create_task(worker.spend(WorkCounter(), fail))
    assert await asyncio.to_thread(begun.wait, 30)
    call.cancel()
    go_on.set()
    await asyncio.wait({call})
    assert call.cancelled()
    worker.close()
    del call
    gc.collect()
    assert "never retrieved" not in caplog.text


async def test_a_process_ends_when_the_thread_of_its_engine_hangs() -> None:
    worker, go_on = ThreadWorker("stuck"), threading.Event()
    ended: list[int] = []
    looks: list[float] = []

    def loaded() -> bool:
        looks.append(longest_call()[0])
        return looks[-1] > 0.2  # Until then it loads, which is no hang.

    hanging = asyncio.ensure_future(worker.run(go_on.wait))
    async with asyncio.timeout(30):
        await end_when_an_engine_hangs(loaded, 0.1, ended.append)
    assert ended == [EXIT_STATUS]
    assert any(0.1 < took_s <= 0.2 for took_s in looks)
    assert longest_call()[1] == "stuck"
    go_on.set()
    await hanging
    assert worker.call_s == 0
    worker.close()
