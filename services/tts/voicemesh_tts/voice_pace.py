"""How fast voices are, and how much of a unit must be there before one that is too slow begins.

A voice that takes longer to make speech than it lasts runs dry in the middle of a word, if
what it makes is played as it comes. Begun later, by the ratio, the last of a unit comes
just in time, and the wait lies between two units instead.
"""

from __future__ import annotations

from dataclasses import dataclass

MARGIN_S = 0.2
"""For messages, which carry up to 150 ms of audio, and for units that last longer than others."""
_NEW = 0.25
"""What a unit counts in the averages: they are over about the last four."""


@dataclass
class VoicePace:
    """A voice's pace, as moving averages over its units; 0: not measured yet."""

    slowness: float = 0.0
    """Seconds that it takes for a second of audio, once it has begun a unit."""
    seconds_per_character: float = 0.0
    """Of audio at speaking rate 1."""

    def head_s(self, characters: int, rate: float) -> float:
        """Seconds of a unit's audio that must be there before it is heard; 0: it is fast enough."""
        if self.slowness <= 1:
            return 0.0
        audio_s = characters * self.seconds_per_character / rate
        return audio_s * (1 - 1 / self.slowness) + MARGIN_S

    def spoke(self, characters: int, rate: float, unit: UnitFlow) -> None:
        """Take the measurements of a unit that was spoken to its end."""
        if not characters or not unit.audio_s:
            return
        length = unit.audio_s * rate / characters
        self.seconds_per_character = _average(self.seconds_per_character, length)
        if unit.later_audio_s:
            self.slowness = _average(self.slowness, unit.later_s / unit.later_audio_s)


class UnitFlow:
    """When the audio of a unit came."""

    def __init__(self) -> None:
        """None has come."""
        self.audio_s = 0.0
        self.later_audio_s = 0.0
        """What came behind the first chunk: a voice that does not stream has nothing there."""
        self.later_s = 0.0
        self._began_s = 0.0

    def came(self, audio_s: float, now_s: float) -> None:
        """So much audio has come, by any clock in seconds."""
        if self.audio_s:
            self.later_audio_s += audio_s
            self.later_s = now_s - self._began_s
        else:
            self._began_s = now_s
        self.audio_s += audio_s


def _average(before: float, now: float) -> float:
    return now if before == 0 else (1 - _NEW) * before + _NEW * now
