"""Which words of a growing text will stay: those on which two hypotheses in a row agree.

LocalAgreement-2 of Liu et al. (Interspeech 2020), as Macháček et al. (2023) use it for
Whisper: what the last two hypotheses have in common from the beginning on is
confirmed and never changed again; what follows is a guess. Words are compared
without case and punctuation, and the newer spelling stays. Languages that put no
spaces between words are compared by characters.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

_OVERLAP = 5
"""How many confirmed units are looked for in a hypothesis that has shifted."""

# A word with the space before it.
_WORD = re.compile(r"\s*\S+")
# A Latin word or number, or one character, each with the marks that belong to it.
_CHARACTER = re.compile(r"\s*(?:[0-9A-Za-z\u00c0-\u024f]+|\S)[^\w\s]*", re.UNICODE)


def units(text: str, by_characters: bool) -> list[str]:
    """What is compared and confirmed as a whole; together they are the text."""
    return (_CHARACTER if by_characters else _WORD).findall(text)


def normal(unit: str) -> str:
    """A unit without case and punctuation; of punctuation alone nothing is left."""
    folded = unicodedata.normalize("NFKC", unit).casefold()
    return "".join(c for c in folded if unicodedata.category(c)[0] in "LNM")


def _same(left: Sequence[str], right: Sequence[str]) -> bool:
    return list(map(normal, left)) == list(map(normal, right))


def agreement(left: Sequence[str], right: Sequence[str]) -> int:
    """How many units two texts have in common from their beginnings on."""
    count = 0
    for a, b in zip(left, right, strict=False):
        if normal(a) != normal(b):
            break
        count += 1
    return count


def overlap(before: Sequence[str], after: Sequence[str]) -> int:
    """How many units at the end of ``before`` are said again at the begin of ``after``."""
    for count in range(min(_OVERLAP, len(before), len(after)), 0, -1):
        if _same(before[-count:], after[:count]):
            return count
    return 0


class LocalAgreement:
    """Follows the hypotheses of one utterance."""

    def __init__(self, keeps: bool = True) -> None:
        """``keeps``: confirmed words stay, whatever later texts say.

        False: the text is the newest one, of which what it has in common with the one before
        it counts as confirmed.
        """
        self._keeps = keeps
        self._dropped: list[str] = []
        self._confirmed: list[str] = []
        self._guess: list[str] = []

    @property
    def confirmed(self) -> str:
        """The text that stays; it only ever grows, unless newer texts count more."""
        return "".join([*self._dropped, *self._confirmed]).strip()

    @property
    def dropped(self) -> str:
        """The part of it whose audio is not looked at any more."""
        return "".join(self._dropped).strip()

    @property
    def text(self) -> str:
        """Everything, the guess included."""
        return "".join([*self._dropped, *self._confirmed, *self._guess]).strip()

    def feed(self, hypothesis: Sequence[str]) -> None:
        """Another text, in units, of the audio behind what was dropped."""
        behind = list(self.behind_dropped(hypothesis))
        if not self._keeps:
            count = agreement([*self._confirmed, *self._guess], behind)
            self._confirmed, self._guess = behind[:count], behind[count:]
            return
        rest = behind[self._known(behind) :]
        count = agreement(self._guess, rest)
        self._confirmed += rest[:count]
        self._guess = rest[count:]

    def behind_dropped(self, hypothesis: Sequence[str]) -> Sequence[str]:
        """A text without what it repeats of the dropped text: cuts do not hit exactly."""
        return hypothesis[overlap(self._dropped, hypothesis) :]

    def _known(self, hypothesis: Sequence[str]) -> int:
        """How many units of a text are already confirmed."""
        count = len(self._confirmed)
        if _same(self._confirmed, hypothesis[:count]):
            return count
        # It has been said differently before: look for the last confirmed units, the
        # longer the better, and the nearest to where they were.
        for length in range(min(_OVERLAP, count, len(hypothesis)), 0, -1):
            wanted = self._confirmed[-length:]
            ends = [
                end
                for end in range(length, len(hypothesis) + 1)
                if _same(wanted, hypothesis[end - length : end])
            ]
            if ends:
                return min(ends, key=lambda end: abs(end - count))
        return min(count, len(hypothesis))

    def can_drop(self, beginning: Sequence[str]) -> bool:
        """Whether all of ``beginning``, the first units of a hypothesis, is confirmed."""
        behind = self.behind_dropped(beginning)
        return len(behind) <= len(self._confirmed) and _same(behind, self._confirmed[: len(behind)])

    def drop(self, beginning: Sequence[str]) -> None:
        """The audio of ``beginning`` is cut off; its text stays as confirmed.

        Where it was not confirmed yet, it is now.
        """
        behind = self.behind_dropped(beginning)
        if self.can_drop(beginning):
            self._dropped += self._confirmed[: len(behind)]
            self._confirmed = self._confirmed[len(behind) :]
            return
        rest = behind[self._known(behind) :]
        self._dropped += [*self._confirmed, *rest]
        self._confirmed = []
        self._guess = self._guess[len(rest) :]
