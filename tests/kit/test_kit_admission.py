from __future__ import annotations

import asyncio

import pytest
from prometheus_client import REGISTRY

from voicemesh.errors import Busy, Unavailable
from voicemesh.server import Admission


async def test_one_more_than_there_are_slots_is_refused_at_once() -> None:
    admission = Admission(2, "test speakers")
    with admission.slot(), admission.slot():
        with pytest.raises(Busy, match="all 2 slots for test speakers are taken") as raised:
            admission.slot().__enter__()
        assert raised.value.retry_after_ms > 0
        assert (admission.slots().used, admission.slots().total) == (2, 2)
        assert REGISTRY.get_sample_value("voicemesh_streams", {"kind": "test speakers"}) == 2
    with admission.slot():
        assert admission.used == 1


async def test_a_slot_comes_back_when_its_holder_fails() -> None:
    admission = Admission(1, "test failures")
    for _ in range(3):
        with pytest.raises(ValueError, match="oops"), admission.slot():
            raise ValueError("oops")
    assert admission.used == 0


async def test_after_the_close_holders_finish_and_newcomers_are_refused() -> None:
    admission = Admission(1, "test drains")
    idle = asyncio.ensure_future(admission.idle())
    with admission.slot():
        idle = asyncio.ensure_future(admission.idle())
        admission.close()
        with pytest.raises(Unavailable):
            admission.slot().__enter__()
        assert not idle.done()
    await idle
