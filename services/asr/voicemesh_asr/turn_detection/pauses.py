"""The pauses that a speaker makes inside turns where they might be over."""

from __future__ import annotations

from dataclasses import dataclass

# The newest pause weighs at least this much, so that the mean follows the speaker.
_LEAST_WEIGHT = 0.1


@dataclass(frozen=True)
class Pauses:
    """A mean over a speaker's pauses; the newest weigh most."""

    mean_ms: float = 0.0
    count: int = 0

    def with_pause(self, pause_ms: float) -> Pauses:
        """These pauses and one more."""
        count = self.count + 1
        weight = max(1 / count, _LEAST_WEIGHT)
        return Pauses(self.mean_ms + weight * (pause_ms - self.mean_ms), count)
