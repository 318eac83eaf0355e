"""Comparing what was said with what was understood, word by word."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

_WORD = re.compile(r"[a-z]+(?:'[a-z]+)?")

# Words that carry grammar instead of content.
_GRAMMAR = """
    a about after all also an and another any are as at be been before but by can could did do
    does each for from had has have how i if in into is it its just like many may more most much no
    not of on one only or other out over s some such than that the their them then there these they
    this those through to too under up very was we were what when where which while who why will
    with would you your
"""
_FUNCTION_WORDS = frozenset(_WORD.findall(_GRAMMAR))


def words(text: str) -> list[str]:
    """The words of an English text, in lower case, without marks."""
    return _WORD.findall(text.lower())


def word_errors(said: Sequence[str], understood: Sequence[str]) -> int:
    """The fewest words to replace, insert or delete (Levenshtein's distance)."""
    row = list(range(len(understood) + 1))
    for i, word in enumerate(said, 1):
        diagonal, row[0] = row[0], i
        for j, other in enumerate(understood, 1):
            cost = diagonal + (word != other)
            diagonal, row[j] = row[j], min(cost, row[j] + 1, row[j - 1] + 1)
    return row[-1]


def content_share(said: str, understood: str) -> tuple[int, int]:
    """How many content words of ``said`` are in ``understood``, and how many there are."""
    content = Counter(word for word in words(said) if word not in _FUNCTION_WORDS)
    return (content & Counter(words(understood))).total(), content.total()
