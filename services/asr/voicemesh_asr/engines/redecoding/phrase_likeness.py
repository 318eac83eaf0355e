"""How like a text and an expected phrase are, by their letters; and which sounds better."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from voicemesh.audio import Samples


class Contest(Protocol):
    """Tells texts apart by sound. See TextContest."""

    def winner(self, samples: Samples, texts: Sequence[str]) -> str | None:
        """The text that sounds most like the samples; None: not known."""

    def can_say(self, text: str) -> bool:
        """Whether all of a text's words are known."""


def plain(text: str) -> str:
    """The letters and digits of a text, without case, marks and spaces."""
    folded = unicodedata.normalize("NFKC", text).casefold()
    return "".join(sign for sign in folded if sign.isalnum())


@dataclass(frozen=True)
class Likeness:
    """Of two texts."""

    distance: float
    """Letters that have to be changed, left out or put in, as a share of the longer text's."""
    length_ratio: float
    """The longer text's letters by the shorter one's."""


def likeness(left: str, right: str) -> Likeness:
    """Of two texts; one without letters, such as "...", counts as one letter long."""
    a, b = plain(left), plain(right)
    longer = max(len(a), len(b), 1)
    return Likeness(_edits(a, b) / longer, longer / max(min(len(a), len(b)), 1))


def _edits(left: str, right: str) -> int:
    """Levenshtein's distance."""
    above = list(range(len(right) + 1))
    for row, sign in enumerate(left, 1):
        below = [row]
        for column, other in enumerate(right, 1):
            changed = above[column - 1] + (sign != other)
            below.append(min(above[column] + 1, below[-1] + 1, changed))
        above = below
    return above[-1]
