"""What happened in conversations: whether the properties had anything to find fault with."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from voicemesh.stamps import order
from voicemesh.v1 import dialog_pb2 as pb

from .plans import Plan
from .world import World


def happened(plan: Plan, world: World) -> Counter[str]:
    """How often each kind of event was there, by names for a report."""
    return Counter(
        [
            "plans",
            *_planned(plan),
            *(f"service lost: {_name(path)}" for path in world.network.lost),
            *_early_answers(world),
            *_told(world),
            *_cut_short(world),
        ]
    )


def _name(path: str) -> str:
    """The service of a method: Recognizer of /voicemesh.v1.SpeechRecognizerService/..."""
    return path.split(".")[-1].split("Service/")[0]


def _planned(plan: Plan) -> Iterator[str]:
    yield f"policy: {plan.policy.lower()}"
    yield f"language: {plan.language}"
    yield f"client: {'reports' if plan.reports else 'does not report'} playback"
    yield f"client leaves: {plan.leaving}"
    for act in plan.acts:
        yield f"user: {act.deed}"
        if act.into_reply and act.deed != "wait":
            yield f"user, into a reply: {act.deed}"


def _early_answers(world: World) -> Iterator[str]:
    """Answers that were begun before the turn was over, and what became of them."""
    answered = {order(told.stamp) for told in world.wire.of("reply_started")}
    for request in world.model.asked:
        if request.generation.speculative:
            used = order(request.stamp) in answered
            yield f"early answer: {'used' if used else 'discarded'}"


def _told(world: World) -> Iterator[str]:
    for _, told in world.wire.said_at:
        match told.WhichOneof("converse_response"):
            case "reply_started":
                yield "reply started"
            case "reply_paused" | "reply_ducked" | "reply_resumed" as kind:
                yield kind.replace("_", " ")
            case "reply_interrupted":
                yield f"reply stopped: {told.reply_interrupted.reason}"
            case "turn_ended":
                outcome = pb.TurnOutcome.Name(told.turn_ended.outcome)
                yield f"turn ended: {outcome.removeprefix('TURN_OUTCOME_').lower()}"
            case "floor":
                transition = pb.FloorTransition.Name(told.floor.transition)
                name = transition.removeprefix("FLOOR_TRANSITION_").lower()
                yield f"floor: {name.replace('_', ' ')}"


def _cut_short(world: World) -> Iterator[str]:
    """Replies that were not heard to their end, and prompts that tell so."""
    for started in world.wire.of("reply_started"):
        sent = sum(
            len(told.reply_audio.chunk.audio) // 2
            for told in world.wire.of("reply_audio")
            if told.stamp == started.stamp
        )
        if len(world.robot.played(started.stamp)) < sent:
            yield "reply whose sent audio was thrown away"
    for request in world.model.asked:
        if any(message.interrupted for message in request.generation.messages):
            yield "prompt that tells of a reply cut short"
