"""What must be true of every conversation, whatever happened in it and in whatever order."""

from __future__ import annotations

from collections import Counter

import numpy as np

from voicemesh.audio import Samples
from voicemesh.stamps import Order, order
from voicemesh.v1 import asr_pb2, common_pb2, llm_pb2
from voicemesh.v1 import dialog_pb2 as pb

from .robot import BUFFER_S
from .synthesiser import RATE, samples_per_char, sound_of
from .world import SETTINGS, World

_MOST_TASKS = 60
_MOST_SENT = 8192

DUCK = "INTERRUPTION_POLICY_DUCK"

_OF_A_REPLY = frozenset(
    {"reply_text", "reply_audio", "reply_ended", "reply_paused", "reply_ducked", "reply_resumed"}
)

Exchange = tuple[str, str, bool]


def check(world: World) -> None:
    """All of them."""
    nothing_is_left(world)
    every_turn_ends_once(world)
    no_old_reply_is_told(world)
    no_old_reply_is_played(world)
    no_work_is_done_for_a_dead_reply(world)
    no_sample_is_lost_or_repeated(world)
    what_counts_as_heard_was_heard(world)
    the_model_is_shown_what_was_heard(world)


def nothing_is_left(world: World) -> None:
    assert not world.complaints, world.complaints
    assert not world.left_over, world.left_over
    assert not world.model.running
    assert world.most_tasks <= _MOST_TASKS
    assert len(world.wire.said_at) <= _MOST_SENT


def _begun_turns(world: World) -> set[int]:
    return {response.stamp.turn for response in world.wire.of("reply_started")}


def every_turn_ends_once(world: World) -> None:
    """Each that was answered, and no turn twice; each that was begun by speech, too."""
    ended = Counter(response.stamp.turn for response in world.wire.of("turn_ended"))
    assert all(count == 1 for count in ended.values()), ended
    assert _begun_turns(world) <= set(ended), (_begun_turns(world), ended)
    spoken = {
        response.stamp.turn
        for response in world.wire.of("turn_event")
        if response.turn_event.type == asr_pb2.TURN_EVENT_TYPE_START_OF_TURN
    }
    # What is typed meanwhile takes a newer number; so does then the speech.
    if not world.typed:
        assert spoken <= set(ended), (spoken, ended)


def no_old_reply_is_told(world: World) -> None:
    """Nothing of a reply once it was interrupted, or a newer one has started."""
    newest: Order = (0, 0, 0, 0)
    interrupted: set[Order] = set()
    for _, response in world.wire.said_at:
        kind = response.WhichOneof("converse_response")
        stamp = order(response.stamp)
        if kind == "reply_started":
            assert stamp > newest
            newest = stamp
        elif kind == "reply_interrupted":
            assert stamp not in interrupted
            interrupted.add(stamp)
        elif kind in _OF_A_REPLY:
            assert stamp >= newest, (kind, stamp, newest)
            assert stamp not in interrupted, (kind, stamp)


def no_old_reply_is_played(world: World) -> None:
    """When the robot knows that a reply is over, its samples leave the speaker no more."""
    last_s = world.robot.loudspeaker.last_s
    for at_s, event in world.robot.told:
        if isinstance(event.payload, pb.ReplyInterrupted):
            assert last_s.get(order(event.stamp), 0.0) <= at_s, event
    begun: list[Order] = sorted(last_s, key=lambda reply: last_s[reply])
    assert begun == sorted(begun), begun


def no_work_is_done_for_a_dead_reply(world: World) -> None:
    """Model and synthesis stop when the news reaches them."""
    travels_s = world.circumstances.longest_delay_ms / 1000 + 1e-3
    for at_s, response in world.wire.said_at:
        if response.WhichOneof("converse_response") == "reply_interrupted":
            reply = order(response.stamp)
            for last_s in (world.model.last_s, world.synthesiser.last_s):
                assert last_s.get(reply, 0.0) <= at_s + travels_s, response


def _sent(world: World, stamp: common_pb2.Stamp) -> Samples:
    """The samples that were sent of a reply."""
    chunks = [
        np.frombuffer(response.reply_audio.chunk.audio, dtype=np.int16)
        for response in world.wire.of("reply_audio")
        if response.stamp == stamp
    ]
    return np.concatenate([np.zeros(0, dtype=np.int16), *chunks])


def _answers(world: World) -> list[pb.ConverseResponse]:
    """The ends of the turns that had a reply."""
    begun = _begun_turns(world)
    return [ended for ended in world.wire.of("turn_ended") if ended.stamp.turn in begun]


def no_sample_is_lost_or_repeated(world: World) -> None:
    """What is played is what was sent from its begin, and that is what was synthesised."""
    for started in world.wire.of("reply_started"):
        sent = _sent(world, started.stamp)
        played = world.robot.played(started.stamp)
        assert len(played) <= len(sent)
        # A reply that is ducked is played as it is, only more quietly.
        quietest = 1.0 if world.circumstances.policy != DUCK else SETTINGS.floor.duck_volume
        same = np.abs(sent[: len(played)].astype(np.int32))
        level = np.abs(played.astype(np.int32))
        assert np.all((level <= same) & (level >= same * quietest - 1)), started.stamp
        own = _own_samples(world, started.stamp, sent)
        assert np.array_equal(sent[:own], sound_of(started.stamp, 0, own))


def _own_samples(world: World, stamp: common_pb2.Stamp, sent: Samples) -> int:
    """How many samples are of the synthesiser and not of an apology that followed them."""
    if not any(failed.stamp == stamp for failed in world.wire.of("error")):
        return len(sent)
    differ = np.flatnonzero(sent != sound_of(stamp, 0, len(sent)))
    return int(differ[0]) if len(differ) else len(sent)


def _text(world: World, stamp: common_pb2.Stamp) -> str:
    return "".join(
        response.reply_text.text
        for response in world.wire.of("reply_text")
        if response.stamp == stamp
    )


def _chars(text: str, samples: float) -> int:
    """How many characters of ``text`` so many samples say."""
    for position, char in enumerate(text):
        samples -= samples_per_char(char)
        if samples < 0:
            return position
    return len(text)


def _slack_samples(world: World, stamp: common_pb2.Stamp) -> float:
    """How far the orchestrator's and the robot's clocks may be apart.

    News of each other are late by the network; without reports every pause adds to it.
    """
    delay_s = world.circumstances.longest_delay_ms / 1000
    holds = sum(
        response.stamp == stamp
        for kind in ("reply_paused", "reply_resumed")
        for response in world.wire.of(kind)
    )
    late = 2 if world.circumstances.manner.reports else 2 + holds
    return RATE * (late * delay_s + 4 * BUFFER_S)


def what_counts_as_heard_was_heard(world: World) -> None:
    """By the robot's own clock, but for what news of it need to travel, and for half a word."""
    for ended in _answers(world):
        outcome, heard = ended.turn_ended.outcome, ended.turn_ended.heard_text
        if outcome == pb.TURN_OUTCOME_ABANDONED:
            continue  # Nobody can say what a client has heard that is gone.
        text = _text(world, ended.stamp)
        sent = _sent(world, ended.stamp)
        played = min(len(world.robot.played(ended.stamp)), _own_samples(world, ended.stamp, sent))
        slack = _slack_samples(world, ended.stamp)
        assert text.strip().startswith(heard), (heard, text)
        most = _chars(text, played + slack) + 1
        assert len(heard) <= most, (outcome, heard, text[:most])
        least = _chars(text, played - slack)
        if outcome == pb.TURN_OUTCOME_COMPLETED:
            assert heard == text.strip()
        else:
            begun = text[:least].rpartition(" ")[0] if text.isascii() else text[: max(0, least - 1)]
            assert len(heard) >= len(begun.strip()), (outcome, heard, text[:least])


def the_model_is_shown_what_was_heard(world: World) -> None:
    """Each prompt holds the exchanges that ended before it, and nothing that was discarded."""
    told: list[tuple[float, Exchange]] = []
    begun = _begun_turns(world)
    for at_s, response in world.wire.said_at:
        if response.HasField("turn_ended") and response.stamp.turn in begun:
            ended = response.turn_ended
            if ended.question or ended.heard_text:
                completed = ended.outcome == pb.TURN_OUTCOME_COMPLETED
                told.append((at_s, (ended.question, ended.heard_text, not completed)))
    for request in world.model.asked:
        shown = _shown(request.generation)
        kept = [exchange for _, exchange in told]
        assert any(
            shown == _as_shown(kept[:count][-SETTINGS.max_exchanges :])
            for count in range(len(kept) + 1)
        ), (shown, kept)


def _shown(generation: llm_pb2.GenerationRequest) -> list[tuple[str, bool]]:
    return [(m.parts[0].text, m.interrupted) for m in generation.messages[:-1]]


def _as_shown(exchanges: list[Exchange]) -> list[tuple[str, bool]]:
    shown = []
    for question, heard, interrupted in exchanges:
        if question:
            shown.append((question, False))
        if heard:
            shown.append((heard, interrupted))
    return shown
