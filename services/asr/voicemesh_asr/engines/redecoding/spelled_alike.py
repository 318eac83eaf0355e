"""Expected phrases for a network of which nothing but its text is known.

A phrase is taken that is spelt almost like the text and sounds better.
"""

from __future__ import annotations

from collections.abc import Sequence

from voicemesh.audio import Samples
from voicemesh_asr.engines.engine import Phrase
from voicemesh_asr.engines.redecoding.phrase_likeness import Contest, likeness, plain

_MOST_LONGER = 1.7
"""By what factor text and phrase may differ in length."""
_MOST_COMPARED = 8
"""The phrases that are most like the text, which are compared by sound."""


def spelled_alike(text: str, phrases: Sequence[Phrase], most_different: float) -> list[str]:
    """The phrases that are spelt almost like a text, the likest first.

    ``most_different``: the share of letters that may differ. A text that is a phrase itself
    is like no other.
    """
    said = plain(text)
    alike: list[tuple[float, str]] = []
    for phrase in phrases:
        letters = len(plain(phrase.text))
        if min(letters, len(said)) * _MOST_LONGER < max(letters, len(said), 1):
            continue
        distance = likeness(text, phrase.text).distance
        if distance == 0:
            return []
        if distance <= most_different:
            alike.append((distance, phrase.text))
    return [phrase for _, phrase in sorted(alike)]


class SpelledAlike:
    """Hears expected phrases better. Blocking; safe in any thread."""

    def __init__(self, contest: Contest, most_different: float) -> None:
        """``most_different``: see ``spelled_alike``."""
        self._contest = contest
        self._most_different = most_different

    def phrase(self, text: str, samples: Samples, phrases: Sequence[Phrase]) -> str | None:
        """The phrase that was said; None: ``text`` stays, which may be a phrase itself.

        Where nobody can pronounce the text, sound does not tell, and the likest is taken.
        """
        candidates = spelled_alike(text, phrases, self._most_different)[:_MOST_COMPARED]
        if not candidates:
            return None
        winner = self._contest.winner(samples, [text, *candidates])
        if winner is None:
            return candidates[0]
        return winner if winner != text else None
