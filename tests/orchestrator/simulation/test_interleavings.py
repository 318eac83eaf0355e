"""Conversations in which everything that may come between anything does."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from typing import Literal

import pytest

from .coverage import happened
from .plans import Act, Death, Plan, plan_of, smallest
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
    """What is left of a plan that fails is printed as it is written: try ``check(plan.run())``.

    Hypothesis would draw plans too, but it makes most of them from each other: of 500
    that hardly differ, few meet what is rare.
    """
    record_property("batch", batch)
    everything: Counter[str] = Counter()
    for number in range(batch * INTERLEAVINGS, (batch + 1) * INTERLEAVINGS):
        plan = plan_of(number)
        try:
            world = plan.run()
            check(world)
        except AssertionError as failure:
            raise AssertionError(f"plan {number} fails: {smallest(plan, _fails)}") from failure
        everything.update(happened(plan, world))
    record_property("happened", json.dumps(everything))


def _fails(plan: Plan) -> bool:
    try:
        check(plan.run())
    except AssertionError:
        return True
    return False


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


def test_a_robot_that_fell_silent_by_itself_goes_on_when_recognition_is_lost_meanwhile() -> None:
    """Its first pause belongs to a reply that is over; the second one must end as well."""
    nods = (Act("nod", 1314, into_reply=True), Act("nod", 33))
    plan = Plan((Act("ask"), *nods), policy="IGNORE", deaths=(Death("asr", 3551, 590),))
    check(plan.run())


def test_nothing_is_begun_early_under_the_number_of_a_text_that_was_typed_meanwhile() -> None:
    plan = Plan((Act("ask"), Act("type"), Act("button")), policy="PAUSE_THEN_DECIDE")
    world = plan.run()
    check(world)


@pytest.mark.parametrize("deed", ["button", "type"])
def test_who_nods_while_the_reply_is_stopped_by_hand_has_not_asked_anything(
    deed: Literal["button", "type"],
) -> None:
    plan = Plan((Act("ask"), Act("nod", 614, into_reply=True), Act(deed)))
    world = plan.run()
    assert world.wire.of("reply_interrupted")
    check(world)
    answers = [told.reply_started.question for told in world.wire.of("reply_started")]
    assert not any("uh huh" in question for question in answers)
