"""Windows: as much of a unit as the voice can say in one launch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from voicemesh_tts.engines.sophon_vits.clauses import Beat, Clause

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
        syllables = sum(len(clause.beats) for clause in clauses)
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
class Window:
    """Clauses that are said in one launch; never empty."""

    clauses: tuple[Clause, ...]

    @property
    def beats(self) -> tuple[Beat, ...]:
        """All its characters."""
        return tuple(beat for clause in self.clauses for beat in clause.beats)

    @property
    def mark(self) -> str:
        """The mark that ends it, which decides the pause that follows."""
        return self.clauses[-1].mark


def plan(clauses: Sequence[Clause], capacity: Capacity, first: int = 0) -> list[Window]:
    """The clauses in windows, each as full as it may be, cut at clause ends.

    A clause that fits into none is cut into equal parts between words. ``first``:
    the first window ends with the first clause that has brought it to so many
    characters; 0: it is as full as the others.
    """
    windows: list[Window] = []
    held: list[Clause] = []
    for whole in clauses:
        for clause in _parts(whole, capacity.longest_clause):
            if held and not capacity.takes([*held, clause]):
                windows.append(Window(tuple(held)))
                held = []
            held.append(clause)
        if not windows and 0 < first <= sum(len(clause.beats) for clause in held):
            windows.append(Window(tuple(held)))
            held = []
    return [*windows, Window(tuple(held))] if held else windows


def halves(window: Window) -> list[Window]:
    """A window in two, at the clause end nearest to its middle; one where it has one syllable."""
    total = len(window.beats)
    if total == 1:
        return [window]
    if len(window.clauses) == 1:
        return [Window((part,)) for part in _parts(window.clauses[0], total - total // 2)]
    counts = [len(clause.beats) for clause in window.clauses]
    cut = min(range(1, len(counts)), key=lambda i: abs(2 * sum(counts[:i]) - total))
    return [Window(window.clauses[:cut]), Window(window.clauses[cut:])]


def _parts(clause: Clause, longest: int) -> Iterator[Clause]:
    """A clause in the fewest parts of about the same length, cut between words if possible."""
    beats = clause.beats
    begin = 0
    while (left := len(beats) - begin) > longest:
        parts = -(-left // longest)
        ideal = begin + -(-left // parts)
        earliest = max(begin + 1, len(beats) - (parts - 1) * longest)
        cuts = [i for i in range(earliest, begin + longest + 1) if beats[i].begins_word]
        cut = min(cuts, key=lambda i: abs(i - ideal), default=ideal)
        yield Clause(beats[begin:cut], "")
        begin = cut
    yield Clause(beats[begin:], clause.mark)
