"""How long to wait before a turn counts as over."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Waits:
    """Silences in milliseconds.

    The waits after a sentence, after a clause and otherwise follow arXiv
    2305.12450, which cuts a transcript at its punctuation after 300, 400 and
    700 ms.
    """

    sentence_end_ms: int = 300
    clause_end_ms: int = 400
    no_mark_ms: int = 700
    unfinished_ms: int = 1200
    eager_ms: int = 150
    max_turn_ms: int = 30_000
