"""Windows: as much of a unit as the voice can say in one launch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from voicemesh_tts.engines.mandarin.clauses import Clause, SpokenCharacter, equal_parts

# Silence at both ends.
_FRAME = 2


@dataclass(frozen=True)
class Capacity:
    """What the networks take: phonemes for the voice, tokens for its prosody.

    A syllable is two phonemes and one token, the pause after a clause one of each.
    """

    phonemes: int
    tokens: int

    def takes(self, clauses: Sequence[Clause]) -> bool:
        """Whether the clauses fit into one window."""
        syllables = sum(len(clause.characters) for clause in clauses)
        pauses = len(clauses)
        return (
            2 * syllables + pauses + _FRAME <= self.phonemes
            and syllables + pauses + _FRAME <= self.tokens
        )

    @property
    def longest_clause(self) -> int:
        """The syllables of the longest clause that fits."""
        return min((self.phonemes - 1 - _FRAME) // 2, self.tokens - 1 - _FRAME)


@dataclass(frozen=True)
class LaunchWindow:
    """Clauses that are said in one launch; never empty."""

    clauses: tuple[Clause, ...]

    @property
    def characters(self) -> tuple[SpokenCharacter, ...]:
        """All its characters."""
        return tuple(spoken for clause in self.clauses for spoken in clause.characters)

    @property
    def mark(self) -> str:
        """The mark that ends it, which decides the pause that follows."""
        return self.clauses[-1].mark


def plan(clauses: Sequence[Clause], capacity: Capacity, first: int = 0) -> list[LaunchWindow]:
    """The clauses in windows, each as full as it may be, cut at clause ends.

    A clause that fits into none is cut into equal parts between words. ``first``:
    the first window ends with the first clause that has brought it to so many
    characters; 0: it is as full as the others.
    """
    windows: list[LaunchWindow] = []
    held: list[Clause] = []
    for whole in clauses:
        for clause in equal_parts(whole, capacity.longest_clause):
            if held and not capacity.takes([*held, clause]):
                windows.append(LaunchWindow(tuple(held)))
                held = []
            held.append(clause)
        if not windows and 0 < first <= sum(len(clause.characters) for clause in held):
            windows.append(LaunchWindow(tuple(held)))
            held = []
    return [*windows, LaunchWindow(tuple(held))] if held else windows


def halves(window: LaunchWindow) -> list[LaunchWindow]:
    """A window in two, at the clause end nearest to its middle; one where it has one syllable."""
    total = len(window.characters)
    if total == 1:
        return [window]
    if len(window.clauses) == 1:
        return [
            LaunchWindow((part,)) for part in equal_parts(window.clauses[0], total - total // 2)
        ]
    counts = [len(clause.characters) for clause in window.clauses]
    cut = min(range(1, len(counts)), key=lambda i: abs(2 * sum(counts[:i]) - total))
    return [LaunchWindow(window.clauses[:cut]), LaunchWindow(window.clauses[cut:])]
