from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from voicemesh.server import Admission
from voicemesh.server.batch_scheduling import MANY, BatchScheduling


@pytest.fixture(autouse=True)
def _usual_policy_afterwards() -> Iterator[None]:
    yield
    scheduling = BatchScheduling()
    scheduling.count(MANY)
    scheduling.count(0)


async def test_a_process_is_scheduled_in_batches_only_while_it_is_crowded() -> None:
    admission = Admission(MANY + 1, "guests")
    admission.changed = BatchScheduling().count
    with ExitStack() as few:
        for _ in range(MANY - 1):
            few.enter_context(admission.slot())
        assert os.sched_getscheduler(0) == os.SCHED_OTHER
        with admission.slot(), admission.slot():
            assert os.sched_getscheduler(0) == os.SCHED_BATCH
        assert os.sched_getscheduler(0) == os.SCHED_OTHER
