"""Engines in child processes."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest

from voicemesh.errors import Busy, EngineError, EngineMissing
from voicemesh.work_counter import WorkCounter
from voicemesh.workers import ProcessWorker

COUNTER = "toyroom.worker_engine:make"

pytestmark = pytest.mark.usefixtures("toyroom")


@asynccontextmanager
async def _worker(target: str = COUNTER) -> AsyncIterator[ProcessWorker]:
    worker = ProcessWorker(target, {"size": 3}, "counter")
    await worker.start()
    try:
        yield worker
    finally:
        await worker.close()


async def test_calls_reach_an_engine_in_another_process() -> None:
    async with _worker() as worker:
        assert await worker.call("add", 2, 3) == 5
        assert await worker.call("get", "size") == 3
        assert await worker.call("pid") == worker.pid != os.getpid()
    assert not worker.alive
    assert not psutil.pid_exists(worker.pid)


async def test_calls_made_at_once_each_get_their_own_answer() -> None:
    async with _worker() as worker:
        results = await asyncio.gather(*(worker.call("add", n, 100) for n in range(20)))
    assert results == [n + 100 for n in range(20)]


async def test_a_childs_exception_comes_back_and_the_child_lives_on() -> None:
    async with _worker() as worker:
        with pytest.raises(EngineError, match="ValueError: bad luck"):
            await worker.call("boom")
        with pytest.raises(Busy, match="come back") as raised:
            await worker.call("refuse")
        assert (raised.value.field, raised.value.retry_after_ms) == ("x.y", 5)
        assert await worker.call("add", 1, 1) == 2


async def test_an_engine_that_cannot_be_made_says_why() -> None:
    with pytest.raises(EngineMissing, match="install one"):
        await ProcessWorker("toyroom.worker_engine:fail", {}, "w").start()
    with pytest.raises(EngineError, match="ended while it was starting"):
        await ProcessWorker("toyroom.worker_engine:crash", {}, "w").start()
    with pytest.raises(EngineError, match="no_such_module"):
        await ProcessWorker("no_such_module:make", {}, "w").start()


async def test_a_stream_brings_every_item_in_order() -> None:
    async with _worker() as worker:
        assert [item async for item in worker.stream("count", 50)] == list(range(50))


async def test_leaving_a_stream_stops_the_childs_work() -> None:
    async with _worker() as worker:
        stream = worker.stream("count_for_ever")
        assert await anext(stream) == 0
        await stream.aclose()
        # The child answers again, so it has returned from the endless call.
        assert await worker.call("how_many") > 0
        assert [item async for item in worker.stream("count", 3)] == [0, 1, 2]


async def test_a_reader_that_is_cancelled_twice_leaves_the_child_usable() -> None:
    async with _worker() as worker:
        reading = asyncio.Event()

        async def read() -> None:
            async for _ in worker.stream("count_for_ever"):
                reading.set()

        task = asyncio.ensure_future(read())
        await reading.wait()
        while not task.done():
            task.cancel()
            await asyncio.sleep(0)
        assert await worker.call("add", 1, 2) == 3


@pytest.mark.parametrize("more", [0, 20])
async def test_what_a_child_makes_after_it_was_cancelled_is_counted(more: int) -> None:
    async with _worker() as worker:
        counter = WorkCounter()
        stream = worker.stream("count_on", more, counter=counter)
        await anext(stream)
        await stream.aclose()
        assert counter.made == 1
        assert counter.late >= 1 + more


async def test_what_a_child_makes_is_late_though_its_parent_looks_at_the_clock_long_afterwards(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    slow = SimpleNamespace(monotonic=lambda: time.monotonic() + 3600)
    async with _worker() as worker:
        counter = WorkCounter()
        stream = worker.stream("count_on", 2, counter=counter)
        await anext(stream)
        monkeypatch.setattr("voicemesh.workers.process.time", slow)
        await stream.aclose()
        assert (counter.made, counter.late) == (1, 3)


async def test_a_child_is_told_at_once_and_may_be_told_while_its_items_are_taken() -> None:
    async with _worker() as worker:
        counter = WorkCounter()
        items = 0
        async for _ in worker.stream("count_for_ever", counter=counter):
            items += 1
            counter.cancel()
        assert items == counter.made
        assert await worker.call("add", 1, 1) == 2


async def test_a_child_makes_one_item_more_at_most_however_fast_it_is() -> None:
    async with _worker() as worker:
        for items in range(1, 101):
            counter = WorkCounter()
            async with aclosing(worker.stream("count_for_ever", counter=counter)) as stream:
                for _ in range(items):
                    await anext(stream)
                counter.cancel()
            assert counter.late <= 1


async def test_what_was_made_before_a_cancel_is_not_late() -> None:
    async with _worker() as worker:
        counter = WorkCounter()
        stream = worker.stream("count", 3, counter=counter)
        assert [await anext(stream) for _ in range(3)] == [0, 1, 2]
        await stream.aclose()  # The end has not been read: the cancel crosses it.
        assert (counter.made, counter.late) == (3, 0)
        assert await worker.call("add", 1, 1) == 2


async def test_a_cancelled_reader_stops_the_childs_work() -> None:
    async with _worker() as worker:
        reading = asyncio.Event()

        async def read() -> None:
            async for _ in worker.stream("count_for_ever"):
                reading.set()

        task = asyncio.ensure_future(read())
        await reading.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert await worker.call("add", 1, 2) == 3


async def test_a_cancelled_call_does_not_leave_its_answer_to_the_next() -> None:
    async with _worker() as worker:
        first = asyncio.ensure_future(worker.call("add", 1, 1))
        await asyncio.sleep(0)  # It has been sent.
        first.cancel()
        with pytest.raises(asyncio.CancelledError):
            await first
        assert await worker.call("add", 10, 10) == 20


async def test_a_cancelled_call_stays_cancelled_though_the_engine_refuses() -> None:
    async with _worker() as worker:
        call = asyncio.ensure_future(worker.call("refuse"))
        await asyncio.sleep(0)  # It has been sent.
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        assert await worker.call("add", 10, 10) == 20


async def test_a_child_whose_answer_nobody_waits_for_is_given_up() -> None:
    async with _worker() as worker:
        call = asyncio.ensure_future(worker.call("add", 1, 1))
        for _ in range(2):
            await asyncio.sleep(0)
            call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        with pytest.raises(EngineError, match="being replaced"):
            await worker.call("add", 10, 10)


async def test_a_start_that_is_cancelled_leaves_no_child() -> None:
    worker = ProcessWorker(COUNTER, {}, "counter")
    start = asyncio.ensure_future(worker.start())
    waits = 50  # Then it waits for the engine, which takes far longer to be made.
    while waits:
        await asyncio.sleep(0)
        waits -= worker.pid > 0
    start.cancel()
    with pytest.raises(asyncio.CancelledError):
        await start
    async with asyncio.timeout(30):
        await worker.ended()


async def test_a_child_that_dies_in_a_call_is_an_error_of_that_call() -> None:
    async with _worker() as worker:
        with pytest.raises(EngineError, match="died during the call"):
            await worker.call("die")
        assert not worker.alive
        with pytest.raises(EngineError, match="has died"):
            await worker.call("add", 1, 1)


async def test_a_child_that_dies_in_a_stream_is_an_error_of_that_stream() -> None:
    async with _worker() as worker:
        stream = worker.stream("count_then_die")
        assert await anext(stream) == 1
        with pytest.raises(EngineError, match="died"):
            await anext(stream)


async def test_closing_kills_a_child_that_hangs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("voicemesh.workers.process._EXIT_GRACE_S", 0.05)
    async with _worker() as worker:
        stream = worker.stream("hang")
        assert await anext(stream) == 0
        await worker.close()
        assert not psutil.pid_exists(worker.pid)
        await stream.aclose()


async def test_a_child_takes_no_module_from_the_working_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "queue.py").write_text("raise SystemExit('not the library')", "utf-8")
    monkeypatch.chdir(tmp_path)
    worker = ProcessWorker(COUNTER, {}, "counter")
    await worker.start()
    assert worker.alive
    await worker.close()


async def test_a_child_dies_with_its_parent(toyroom: Path) -> None:
    parent = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", _PARENT, str(toyroom)), stdout=asyncio.subprocess.PIPE
    )
    assert parent.stdout is not None
    child = psutil.Process(int(await parent.stdout.readline()))
    parent.kill()
    await parent.wait()
    await asyncio.to_thread(psutil.wait_procs, [child], 30)
    assert not child.is_running() or child.status() == psutil.STATUS_ZOMBIE


_PARENT = """
import asyncio
from voicemesh.workers import ProcessWorker

async def main():
    worker = ProcessWorker("toyroom.worker_engine:make", {}, "w")
    await worker.start()
    stream = worker.stream("hang")
    await anext(stream)
    print(worker.pid, flush=True)
    await asyncio.Event().wait()

asyncio.run(main())
"""


async def test_ctrl_c_at_a_terminal_reaches_no_child() -> None:
    async with _worker() as worker:
        assert os.getsid(worker.pid) != os.getsid(0)
