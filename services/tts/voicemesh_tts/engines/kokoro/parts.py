"""Parts: what is said by one run of the network."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence

from voicemesh_tts.engines.mandarin.clauses import Clause, equal_parts

Part = tuple[Clause, ...]
"""The clauses of one run; never empty."""

SYLLABLE_S = 0.2
"""About how long a syllable lasts, in seconds."""
SILENCE_S = 1.1
"""About how much silence the network makes around a part, which costs as much as speech."""
# Bounds memory and how long others wait; also far below what the network can read.
_MOST_CHARACTERS = 20
# A clause that is only this much longer than a part should be is not cut.
_SLACK = 1.25
# Particles and function words, before or after which a phrase may end without a mark.
_ENDS_PHRASE = frozenset("的地了着过是")
_BEGINS_PHRASE = frozenset("在和与或把被让给从向对为就也都而但却还可能会要")


def parts(clauses: Sequence[Clause], first: int, realtime_factor: float) -> Iterator[Part]:
    """The clauses in parts that are each ready when the part before it has been heard.

    ``first``: the characters of the first part, for which somebody waits.
    ``realtime_factor``: seconds that the network takes for a second of audio.
    """
    waiting, longest = deque(clauses), first
    while waiting:
        part = _part(waiting, longest)
        yield part
        spoken_s = characters(part) * SYLLABLE_S
        room = (spoken_s / realtime_factor - SILENCE_S) / SYLLABLE_S
        longest = round(min(max(room, first), _MOST_CHARACTERS))


def characters(part: Part) -> int:
    """The characters that a part says."""
    return sum(len(clause.characters) for clause in part)


def _part(waiting: deque[Clause], longest: int) -> Part:
    """As many clauses as may be; some words of the first one where it is too long."""
    clause = waiting.popleft()
    if len(clause.characters) > longest * _SLACK:
        cut = _cut(clause, longest)
        waiting.appendleft(Clause(clause.characters[cut:], clause.mark))
        return (Clause(clause.characters[:cut], ""),)
    taken = [clause]
    while waiting and characters((*taken, waiting[0])) <= longest:
        taken.append(waiting.popleft())
    return tuple(taken)


def _cut(clause: Clause, longest: int) -> int:
    """Where a clause is best cut: where a speaker might draw breath, nearest to ``longest``."""
    spoken = clause.characters
    breaths = [
        i
        for i in range(longest // 2, min(round(longest * _SLACK), len(spoken) - 1))
        if spoken[i].begins_word
        and (spoken[i - 1].character in _ENDS_PHRASE or spoken[i].character in _BEGINS_PHRASE)
    ]
    if breaths:
        return min(breaths, key=lambda i: abs(i - longest))
    return len(next(equal_parts(clause, longest)).characters)
