"""The fewest errors between two texts of which each may be read in several ways.

``23`` may be read "twenty three", "two three" or "twenty-third" only by who knows how it
was said. So a text is a row of slots, each with the readings of what is written there, and
texts are as far apart as the nearest of their readings.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

Reading = tuple[str, ...]
"""Words, or characters of a language without words; empty: it may be left unsaid."""
Slot = tuple[Reading, ...]
"""The readings of one place in a text, the likeliest first."""
Wording = Sequence[Slot]
"""A text, place by place."""

_Arrivals = list[list[tuple[int, str]]]
"""For each node of a text's graph the edges that end there: node before, and word; no word:
the empty string. Nodes are in the order of the text."""


def said(text: str) -> Slot:
    """The slot of a text that has one reading, its words between spaces."""
    return (tuple(text.split()),)


def length(wording: Wording) -> int:
    """How many words a text has in its likeliest reading."""
    return sum(len(slot[0]) for slot in wording)


def likeliest(wording: Wording) -> list[str]:
    """The words of the likeliest reading."""
    return [word for slot in wording for word in slot[0]]


def errors(reference: Wording, hypothesis: Wording) -> int:
    """The fewest words to replace, insert or delete, over all readings of both.

    Levenshtein's distance, between the nodes of two acyclic graphs instead of two rows.
    """
    ours, theirs = _arrivals(reference), _arrivals(hypothesis)
    distance = [[0] * len(theirs) for _ in ours]
    for i, into_ours in enumerate(ours):
        for j, into_theirs in enumerate(theirs):
            if i or j:
                distance[i][j] = min(_ways(distance, i, j, into_ours, into_theirs))
    return distance[-1][-1]


def _ways(
    distance: list[list[int]],
    i: int,
    j: int,
    into_ours: list[tuple[int, str]],
    into_theirs: list[tuple[int, str]],
) -> Iterator[int]:
    for before, word in into_ours:
        yield distance[before][j] + bool(word)
    for other_before, other in into_theirs:
        yield distance[i][other_before] + bool(other)
    for before, word in into_ours:
        for other_before, other in into_theirs:
            if word and other:
                yield distance[before][other_before] + (word != other)


def _arrivals(wording: Wording) -> _Arrivals:
    arrivals: _Arrivals = [[]]
    for slot in wording:
        begin = len(arrivals) - 1
        last_edges: list[tuple[int, str]] = []
        for reading in slot:
            before = begin
            for word in reading[:-1]:
                arrivals.append([(before, word)])
                before = len(arrivals) - 1
            last_edges.append((before, reading[-1] if reading else ""))
        arrivals.append(last_edges)
    return arrivals
