"""One timeline a turn: when each step was reached, counted from the last voiced sample."""

from __future__ import annotations

import time

from voicemesh.v1 import dialog_pb2 as pb


class Timeline:
    """Steps of a turn. Times are of the monotonic clock, in seconds.

    The origin is the user's last voiced sample (for typed turns the arrival of
    the text). It is known only when the turn has ended, so it is set then.
    """

    def __init__(self) -> None:
        """Starts with its origin at now."""
        self.origin_s = time.monotonic()
        self._steps: dict[str, float] = {}

    def reach(self, step: str, at_s: float | None = None) -> None:
        """Note a step; the first time counts."""
        self._steps.setdefault(step, time.monotonic() if at_s is None else at_s)

    def adopt(self, other: Timeline) -> None:
        """The steps of work that was begun before it belonged to this turn."""
        for step, at_s in other._steps.items():
            self.reach(step, at_s)

    def between(self, first: str, second: str) -> float | None:
        """Seconds from one step to another; None where one was not reached."""
        if first in self._steps and second in self._steps:
            return self._steps[second] - self._steps[first]
        return None

    def since_origin(self, step: str) -> float | None:
        """Seconds from the origin to a step; None where it was not reached."""
        return self._steps[step] - self.origin_s if step in self._steps else None

    def stages(self) -> list[pb.StageTime]:
        """The steps in the order they were reached."""
        ordered = sorted(self._steps.items(), key=lambda item: item[1])
        return [
            pb.StageTime(name=name, at_us=round((at - self.origin_s) * 1e6)) for name, at in ordered
        ]
