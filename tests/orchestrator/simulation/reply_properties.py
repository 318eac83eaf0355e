"""What must be true of every reply."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import numpy as np

from voicemesh.audio import Samples
from voicemesh.stamps import Order, order
from voicemesh.v1 import asr_pb2, common_pb2, llm_pb2
from voicemesh.v1 import dialog_pb2 as pb

from .network import GRAIN_S
from .robot import BUFFER_S
from .synthesiser import RATE, samples_per_char, sound_of
from .turn_properties import begun_turns, plain
from .world import SETTINGS, World

DUCK = "INTERRUPTION_POLICY_DUCK"

_OF_A_REPLY = frozenset(
    {"reply_text", "reply_audio", "reply_ended", "reply_paused", "reply_ducked", "reply_resumed"}
)

Exchange = tuple[str, str, bool]


def what_is_answered_is_what_was_asked(world: World) -> None:
    """An answer that was begun early is given only to the words that it was begun for."""
    asked = {
        order(request.stamp): request.generation.messages[-1].parts[0].text
        for request in world.model.asked
    }
    for started in world.wire.of("reply_started"):
        question = asked.get(order(started.stamp))
        if question is not None:
            assert plain(question) == plain(started.reply_started.question), started


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
    """Model and synthesis stop when the news reaches them, also of what was begun in vain."""
    travels_s = _travels_s(world)
    for at_s, dead in _deaths(world):
        for last_s in (world.model.last_s, world.synthesiser.last_s):
            assert last_s.get(dead, 0.0) <= at_s + travels_s, (at_s, dead)


def _travels_s(world: World) -> float:
    return world.circumstances.longest_delay_ms / 1000 + GRAIN_S + 1e-3


def _deaths(world: World) -> Iterator[tuple[float, Order]]:
    """The replies of which nothing is wanted any more, and since when."""
    started: set[Order] = set()
    tries: Counter[int] = Counter()
    for at_s, told in world.wire.said_at:
        stamp = order(told.stamp)
        match told.WhichOneof("converse_response"):
            case "reply_started":
                started.add(stamp)
                yield from ((at_s, older) for older in _asked(world, at_s) if older < stamp)
            case "reply_interrupted":
                yield at_s, stamp
            case "turn_event" if told.turn_event.type == asr_pb2.TURN_EVENT_TYPE_TURN_RESUMED:
                # The next try may follow so soon that it is on its way already.
                turn = told.stamp.turn
                begun = (tried for tried in _asked(world, at_s) if tried not in started)
                yield from ((at_s, t) for t in begun if t[1] == turn and t[2] <= tries[turn])
            case "turn_event":
                eager = asr_pb2.TURN_EVENT_TYPE_EAGER_END_OF_TURN
                tries[told.stamp.turn] += told.turn_event.type == eager


def _asked(world: World, at_s: float) -> list[Order]:
    """The replies that the model had been asked for by then."""
    came = zip(world.model.asked, world.model.asked_s, strict=True)
    return [order(request.stamp) for request, s in came if s <= at_s + _travels_s(world)]


def what_is_held_waits(world: World) -> None:
    """Nothing is sent of a reply that is paused; it goes on once, and is not over before.

    Unless it had been played to its end when the robot was told: that takes its way, and
    the robot's report another.
    """
    held: dict[Order, tuple[str, float]] = {}
    for at_s, told in world.wire.said_at:
        kind, stamp = told.WhichOneof("converse_response"), order(told.stamp)
        how, since_s = held.get(stamp, ("", at_s))
        match kind:
            case "reply_paused" | "reply_ducked":
                assert not how, told
                held[stamp] = kind, at_s
            case "reply_resumed":
                assert held.pop(stamp, None), told
            case "reply_audio":
                assert how != "reply_paused", told.stamp
            case "turn_ended" if told.turn_ended.outcome == pb.TURN_OUTCOME_COMPLETED:
                assert how != "reply_paused" or at_s - since_s <= 2 * _travels_s(world), told


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
    begun = begun_turns(world)
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


def _apart_samples(world: World, stamp: common_pb2.Stamp) -> tuple[float, float]:
    """How far the orchestrator's clock may be ahead of the robot's, and how far behind.

    News of each other are late by the network; without reports every pause adds to it.
    """
    delay_s = world.circumstances.longest_delay_ms / 1000
    holds = sum(
        response.stamp == stamp
        for kind in ("reply_paused", "reply_resumed")
        for response in world.wire.of(kind)
    )
    late = 2 if world.circumstances.manner.reports else 2 + holds
    return RATE * (delay_s + BUFFER_S), RATE * (late * delay_s + 2 * BUFFER_S)


def _told_too_late(world: World, ended: pb.ConverseResponse) -> bool:
    """Whether the client had left when it was to learn that a reply stops: it played on."""
    delay_s = world.circumstances.longest_delay_ms / 1000
    at_s = next(at for at, said in world.wire.said_at if said == ended)
    return at_s + delay_s >= world.left_s


def what_counts_as_heard_was_heard(world: World) -> None:
    """By the robot's own clock, but for what news of it need to travel, and for half a word."""
    for ended in _answers(world):
        outcome, heard = ended.turn_ended.outcome, ended.turn_ended.heard_text
        if outcome == pb.TURN_OUTCOME_ABANDONED:
            continue  # Nobody can say what a client has heard that is gone.
        text = _text(world, ended.stamp)
        sent = _sent(world, ended.stamp)
        played = min(len(world.robot.played(ended.stamp)), _own_samples(world, ended.stamp, sent))
        ahead, behind = _apart_samples(world, ended.stamp)
        assert text.strip().startswith(heard), (heard, text)
        most = _chars(text, played + ahead) + 1
        assert len(heard) <= most, (outcome, heard, text[:most])
        least = _chars(text, played - behind)
        if outcome == pb.TURN_OUTCOME_COMPLETED:
            assert heard == text.strip()
        elif not _told_too_late(world, ended):
            begun = text[:least].rpartition(" ")[0] if text.isascii() else text[: max(0, least - 1)]
            assert len(heard) >= len(begun.strip()), (outcome, heard, text[:least])


def the_model_is_shown_what_was_heard(world: World) -> None:
    """Each prompt holds the exchanges that ended before it, and nothing that was discarded."""
    told: list[tuple[float, Exchange]] = []
    begun = begun_turns(world)
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
