"""The bounded channel and the care of tasks."""

from __future__ import annotations

import asyncio
import gc
import logging
from collections import deque
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voicemesh.aio import Channel, ChannelClosed, ChannelFull, TaskSet, cancel_and_wait, within


@given(
    capacity=st.integers(1, 4),
    steps=st.lists(st.sampled_from(["send", "receive", "clear", "close"]), max_size=40),
)
def test_a_channel_is_a_bounded_queue(capacity: int, steps: list[str]) -> None:
    async def run() -> None:
        channel: Channel[int] = Channel(capacity)
        model: deque[int] = deque()
        closed = False
        for number, step in enumerate(steps):
            match step:
                case "send" if closed:
                    with pytest.raises(ChannelClosed):
                        channel.send(number)
                case "send" if len(model) == capacity:
                    with pytest.raises(ChannelFull):
                        channel.send(number)
                case "send":
                    channel.send(number)
                    model.append(number)
                case "receive" if model:
                    assert await channel.receive() == model.popleft()
                case "receive" if closed:
                    with pytest.raises(ChannelClosed):
                        await channel.receive()
                case "clear":
                    channel.clear()
                    model.clear()
                case "close":
                    channel.close()
                    closed = True
            assert len(channel) == len(model)
            assert channel.closed == closed
        channel.close()
        assert [item async for item in channel] == list(model)

    asyncio.run(run())


@given(
    items=st.integers(0, 12),
    receivers=st.integers(1, 4),
    cancelled=st.sets(st.integers(0, 3)),
)
def test_no_item_is_lost_when_receivers_are_cancelled(
    items: int, receivers: int, cancelled: set[int]
) -> None:
    async def run() -> None:
        channel: Channel[int] = Channel(items + 1)
        got: list[int] = []

        async def receive() -> None:
            async for item in channel:
                got.append(item)

        tasks = [asyncio.ensure_future(receive()) for _ in range(receivers)]
        await asyncio.sleep(0)  # All of them wait now.
        for item in range(items):
            channel.send(item)
        for number in cancelled:
            if number < receivers:
                tasks[number].cancel()
        await asyncio.sleep(0)
        channel.close()
        await asyncio.gather(*tasks, return_exceptions=True)
        got += [item async for item in channel]
        assert sorted(got) == list(range(items))

    asyncio.run(run())


async def test_a_waiting_receiver_is_told_of_the_close() -> None:
    channel: Channel[int] = Channel(1)
    waiting = asyncio.ensure_future(channel.receive())
    await asyncio.sleep(0)
    channel.close()
    with pytest.raises(ChannelClosed):
        await waiting


async def test_cancel_and_wait_returns_only_when_the_task_has_cleaned_up() -> None:
    cleaned = False

    async def work() -> None:
        nonlocal cleaned
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            cleaned = True

    task = asyncio.ensure_future(work())
    await asyncio.sleep(0)
    await cancel_and_wait(task, None)
    assert cleaned


async def test_an_error_during_cancellation_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    async def work() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            raise ValueError("broken brake")

    task = asyncio.ensure_future(work())
    await asyncio.sleep(0)
    await cancel_and_wait(task)
    assert "broken brake" in caplog.text


async def test_a_failed_task_of_a_set_is_logged_with_its_name(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def work() -> None:
        raise ValueError("out of paper")

    tasks = TaskSet()
    task = tasks.start(work(), "printer")
    await asyncio.wait({task})
    await asyncio.sleep(0)
    assert len(tasks) == 0
    assert [r.levelno for r in caplog.records] == [logging.ERROR]
    assert "printer" in caplog.text


async def test_closing_a_set_ends_all_its_tasks() -> None:
    tasks = TaskSet()
    running = [tasks.start(asyncio.Event().wait(), str(n)) for n in range(3)]
    await tasks.close()
    assert all(task.cancelled() for task in running)


async def test_within_leaves_a_slow_task_running() -> None:
    gate = asyncio.Event()
    task = asyncio.ensure_future(gate.wait())
    assert not await within(0.001, task)
    assert not task.done()
    gate.set()
    assert await within(60, task)


async def test_a_task_that_had_failed_before_is_not_lost() -> None:
    """Whoever leaves it by cancel_and_wait need not read its error: nobody reports it later."""
    reported: list[Any] = []
    asyncio.get_running_loop().set_exception_handler(
        lambda loop, context: reported.append(context["message"])
    )

    async def fail() -> None:
        raise ValueError("nobody listens")

    async def owner() -> None:
        task = asyncio.create_task(fail())
        await asyncio.wait({task})
        await cancel_and_wait(task)

    await owner()
    gc.collect()
    assert reported == []
