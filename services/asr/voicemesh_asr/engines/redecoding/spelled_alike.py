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


class SpelledAlike:
    """Hears expected phrases better. Blocking; safe in any thread."""

    def __init__(self, contest: Contest, most_different: float) -> None:
        """``most_different``: the share of letters in which text and phrase may differ."""
        self._contest = contest
        self._most_different = most_different

    def phrase(self, text: str, samples: Samples, phrases: Sequence[Phrase]) -> str | None:
        """The phrase that was said; None: ``text`` stays, which may be a phrase itself.

        Where nobody can pronounce the text, sound does not tell, and the likest is taken.
        """
        said = plain(text)
        if not said:
            return None
        alike: list[tuple[float, str]] = []
        for phrase in phrases:
            letters = len(plain(phrase.text))
            if not letters or max(letters, len(said)) > _MOST_LONGER * min(letters, len(said)):
                continue
            distance = likeness(text, phrase.text).distance
            if distance == 0:
                return None
            if distance <= self._most_different:
                alike.append((distance, phrase.text))
        candidates = [phrase for _, phrase in sorted(alike)[:_MOST_COMPARED]]
        if not candidates:
            return None
        winner = self._contest.winner(samples, [text, *candidates])
        if winner is None:
            return candidates[0]
        return winner if winner != text else None
