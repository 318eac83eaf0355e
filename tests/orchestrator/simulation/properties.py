"""What must be true of every conversation, whatever happened in it and in whatever order."""

from __future__ import annotations

from . import floor_properties as floor
from . import reply_properties as replies
from . import turn_properties as turns
from .world import World

_MOST_TASKS = 60
_MOST_SENT = 8192


def check(world: World) -> None:
    """All of them."""
    nothing_is_left(world)
    turns.every_turn_ends_once(world)
    turns.nothing_fails_by_itself(world)
    turns.everything_said_is_heard(world)
    turns.who_was_cut_off_is_not_half_heard(world)
    turns.who_asks_is_answered(world)
    turns.who_nods_is_not_answered(world)
    turns.who_wants_quiet_is_not_answered(world)
    floor.the_floor_moves_in_order(world)
    floor.who_begins_to_speak_is_not_talked_over(world)
    replies.what_is_answered_is_what_was_asked(world)
    replies.no_old_reply_is_told(world)
    replies.no_old_reply_is_played(world)
    replies.no_work_is_done_for_a_dead_reply(world)
    replies.what_is_held_waits(world)
    replies.no_sample_is_lost_or_repeated(world)
    replies.what_counts_as_heard_was_heard(world)
    replies.the_model_is_shown_what_was_heard(world)


def nothing_is_left(world: World) -> None:
    assert not world.complaints, world.complaints
    assert not world.left_over, world.left_over
    assert not world.model.running
    assert world.most_tasks <= _MOST_TASKS
    assert len(world.wire.said_at) <= _MOST_SENT
