"""How sequences are chosen: what beam search and sampling have in common."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Integers = NDArray[np.int32]


@dataclass(frozen=True)
class Found:
    """A sequence that a search ends with."""

    tokens: tuple[int, ...]
    """Without the prompt and without the end of text."""
    log_probability: float
    """Of all tokens, and of the end of text where it was reached."""
    finished: bool
    """False: the length limit cut it."""

    @property
    def average(self) -> float:
        """The logarithm of the mean probability of a token, end of text included."""
        return self.log_probability / (len(self.tokens) + 1)


class Search(Protocol):
    """Chooses the next tokens of some sequences, step by step."""

    @property
    def sequences(self) -> Sequence[tuple[int, ...]]:
        """The tokens chosen so far, a sequence a row."""

    @property
    def last(self) -> Integers:
        """The newest token of each row."""

    @property
    def sources(self) -> Integers:
        """The row that each row continues."""

    def advance(self, logits: Floats) -> bool:
        """Choose from filtered logits, [rows, vocabulary]; True: the search is over."""

    def best(self, length_penalty: float | None) -> Found:
        """The best sequence so far."""


def choose(found: Sequence[Found], length_penalty: float | None) -> Found:
    """The sequence with the best score per length.

    ``length_penalty``: the exponent of Wu et al., arXiv 1609.08144, eq. 14; None:
    the plain length.
    """

    def score(candidate: Found) -> float:
        length = len(candidate.tokens)
        if length_penalty is None:
            return candidate.log_probability / max(1, length)
        return candidate.log_probability / float(((5 + length) / 6) ** length_penalty)

    return max(found, key=score)


def as_row(values: Sequence[int], rows: int) -> Integers:
    """``values`` on the compiled rows; those left over repeat the last one."""
    padded = [*values, *[values[-1]] * (rows - len(values))]
    return np.array(padded, dtype=np.int32)
