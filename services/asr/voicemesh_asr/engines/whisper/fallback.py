"""Which result of a window is good enough, and what is tried where none is."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, Protocol, TypeVar

from pydantic import AfterValidator, Field


def _rising(temperatures: tuple[float, ...]) -> tuple[float, ...]:
    if list(temperatures) != sorted(set(temperatures)):
        raise ValueError("temperatures must rise from one to the next")
    return temperatures


RisingTemperatures = Annotated[
    tuple[Annotated[float, Field(ge=0, le=1)], ...], AfterValidator(_rising)
]
"""A setting: temperatures, each higher than the one before."""


class Judged(Protocol):
    """What a window says, and how sure that is."""

    @property
    def compression_ratio(self) -> float:
        """See ``compression_ratio``."""

    @property
    def average(self) -> float:
        """The mean logarithm of a token's probability."""

    @property
    def no_speech(self) -> float:
        """The probability that nobody speaks."""


DecodedT = TypeVar("DecodedT", bound=Judged)


def compression_ratio(text: str) -> float:
    """How much zlib shortens a text: high where it repeats itself."""
    raw = text.encode()
    return len(raw) / len(zlib.compress(raw))


@dataclass(frozen=True)
class Fallback:
    """Whisper's thresholds."""

    compression_ratio: float = 2.4
    """A text that zlib shortens more than this repeats itself."""
    log_probability: float = -1.0
    """A text whose tokens are on average less likely than this is a guess."""
    no_speech: float = 0.6
    """From this probability on, nobody may have spoken."""
    sure_log_probability: float | None = None
    """A text whose tokens are on average likelier than this was spoken all the same; None:
    ``log_probability``."""

    def repeats(self, decoded: Judged) -> bool:
        """Whether the text says the same again and again."""
        return decoded.compression_ratio > self.compression_ratio

    def is_poor(self, decoded: Judged) -> bool:
        """Whether another temperature should be tried."""
        if decoded.no_speech > self.no_speech:
            return False
        return self.repeats(decoded) or decoded.average < self.log_probability

    def is_silence(self, decoded: Judged) -> bool:
        """Whether the window holds no speech, whatever the text says."""
        sure = self.sure_log_probability
        least = self.log_probability if sure is None else sure
        return decoded.no_speech > self.no_speech and decoded.average <= least

    def first_good(
        self, temperatures: Sequence[float], decode: Callable[[float], DecodedT]
    ) -> DecodedT:
        """The first result that is not poor; the last one where all are."""
        decoded = decode(temperatures[0])
        for temperature in temperatures[1:]:
            if not self.is_poor(decoded):
                break
            decoded = decode(temperature)
        return decoded
