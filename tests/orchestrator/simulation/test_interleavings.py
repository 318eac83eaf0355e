"""Conversations in which everything that may come between anything does."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, given, seed, settings

from .coverage import happened
from .plans import Act, Plan, plans
from .properties import check

BATCHES = 20
INTERLEAVINGS = 500
"""In a batch: 10,000 in all."""


@pytest.mark.parametrize(
    "batch",
    [0, *(pytest.param(batch, marks=pytest.mark.long) for batch in range(1, BATCHES))],
)
def test_no_interleaving_breaks_a_conversation(
    batch: int, record_property: Callable[[str, object], None]
) -> None:
    """A plan that fails is printed as it is written: give it to ``check(plan.run())``."""
    record_property("seed", batch)
    everything: Counter[str] = Counter()

    @seed(batch)
    @settings(
        max_examples=INTERLEAVINGS,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(plans())
    def holds(plan: Plan) -> None:
        world = plan.run()
        everything.update(happened(plan, world))
        check(world)

    holds()
    record_property("happened", json.dumps(everything))


def test_a_turn_that_is_heard_ends_when_the_client_leaves_during_a_reply() -> None:
    plan = Plan((Act("ask"), Act("nod", 614, into_reply=True), Act("wait", 0)), leaving="gone")
    world = plan.run()
    ended = [response.stamp.turn for response in world.wire.of("turn_ended")]
    assert sorted(ended) == [1, 2]


@pytest.mark.parametrize(
    "plan",
    [
        Plan(
            (Act("ask", 100), Act("type", 399, number=2)),
            seed=24640,
            language="zh",
            policy="STOP",
            longest_delay_ms=76,
            reports=False,
            leaving="gone",
        ),
        Plan(
            (
                Act("ask", 100),
                Act("ask", 677, number=3),
                Act("wait", 2047),
                Act("nod", 2303),
                Act("type", 365, number=5),
            ),
            seed=6115,
            policy="IGNORE",
            longest_delay_ms=46,
            reports=False,
            leaving="gone",
        ),
    ],
)
def test_no_turn_begins_when_the_client_has_left(plan: Plan) -> None:
    check(plan.run())
