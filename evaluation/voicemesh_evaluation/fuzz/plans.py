"""What each hostile call sends and how it ends: always the same for a seed and a number."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from random import Random
from typing import Any

from voicemesh.v1 import operations_pb2
from voicemesh_evaluation.fuzz.methods import Method
from voicemesh_evaluation.fuzz.mutation import broken, huge, random_message
from voicemesh_evaluation.fuzz.openings import opening

_REFUSED_DRAINS = (
    operations_pb2.DrainRequest(grace_ms=-1).SerializeToString(),
    operations_pb2.DrainRequest(grace_ms=2**62).SerializeToString(),
    b"\x08",
    b"\xff\xff",
)
"""A Drain that is taken ends its process, which is what it is for."""


class Ending(Enum):
    """How the client leaves."""

    READS_ON = "half-closes and reads to the end"
    CANCELS = "cancels after a while"
    WAITS = "says nothing more for a while, then cancels"
    VANISHES = "closes its connection"


@dataclass(frozen=True)
class Plan:
    """One call."""

    number: int
    method: Method
    messages: Sequence[bytes]
    ending: Ending
    patience_s: float
    """How long it stays, where it does not read to the end."""
    pause_s: float
    """Between two messages."""


def make_plan(seed: int, number: int, methods: Sequence[Method], robot: str) -> Plan:
    """The call of that number; ``robot`` is where the robot's listener answers."""
    random = Random(f"{seed}/{number}")
    # Each of them in turn, then what has the most to go wrong.
    method = methods[number % len(methods)]
    if number % 3 == 0:
        method = random.choice([m for m in methods if m.streams_requests])
    messages = _messages(method, random, robot)
    if not method.streams_requests:
        messages = messages[:1]
    endings = [Ending.CANCELS, Ending.WAITS, Ending.VANISHES]
    if not method.lasts:
        endings += [Ending.READS_ON] * 4
    return Plan(
        number,
        method,
        messages,
        random.choice(endings),
        patience_s=random.choice((0.0, 0.0, 0.01, 0.05, 0.2)),
        pause_s=random.choice((0.0, 0.0, 0.0, 0.005, 0.02)),
    )


def _messages(method: Method, random: Random, robot: str) -> list[bytes]:
    if method.name == "Drain":
        return [random.choice(_REFUSED_DRAINS)]
    descriptor = method.request.DESCRIPTOR
    good = [message.SerializeToString() for message in _opening(method, random, robot)]
    match random.randrange(10):
        case 0 | 1:  # Well behaved up to a point, then anything.
            begun = good[: random.randrange(len(good) + 1)]
            return [*begun, random_message(descriptor, random).SerializeToString()]
        case 2 | 3:
            return [
                random_message(descriptor, random).SerializeToString()
                for _ in range(random.randrange(1, 4))
            ]
        case 4 | 5:  # One of them is broken.
            at = random.randrange(len(good))
            return [*good[:at], broken(good[at], random), *good[at + 1 :]]
        case 6:
            return [*good[: random.randrange(2)], random.randbytes(random.randrange(1, 60))]
        case 7:
            return [*good[: random.randrange(2)], huge(descriptor, random)]
        case 8:  # The wrong order, and too often.
            mixed = [*good, *good]
            random.shuffle(mixed)
            return mixed
        case _:  # Nothing is wrong with them but how they end, and how many come.
            return good


def _opening(method: Method, random: Random, robot: str) -> Sequence[Any]:
    return opening(method.name, method.request, random, robot)
