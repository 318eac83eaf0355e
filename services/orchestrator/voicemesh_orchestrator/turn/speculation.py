"""The answer that is begun before its turn is over: what is kept of it, and what becomes of it."""

from __future__ import annotations

from voicemesh.v1.common_pb2 import Stamp
from voicemesh_orchestrator.text.words import same_words
from voicemesh_orchestrator.turn.effects import Commit, Discard, Effect, Speculate
from voicemesh_orchestrator.turn.stamp_mint import StampMint


class Speculation:
    """At most one answer that nobody hears yet, and a bounded number of them in a turn."""

    def __init__(self, mint: StampMint) -> None:
        """``mint``: each is begun under a revision of its turn."""
        self._mint = mint
        self._begun: Commit | None = None
        self._tries = 0

    @property
    def stamp(self) -> Stamp | None:
        """What is being answered unheard, before the turn is over."""
        return None if self._begun is None else self._begun.stamp

    def turn_begins(self) -> None:
        """Its tries are counted anew."""
        self._tries = 0

    def begin(self, question: str, max_tries: int) -> list[Effect]:
        """Begin to answer ``question``, unless the turn has had ``max_tries`` already."""
        if self._tries >= max_tries:
            return []
        self._tries += 1
        self._begun = Commit(self._mint.revision(), question)
        return [Speculate(self._begun.stamp, question)]

    def discard(self, reason: str) -> list[Effect]:
        """What was begun is of no use."""
        begun, self._begun = self._begun, None
        return [] if begun is None else [Discard(begun.stamp, reason)]

    def take(self, question: str) -> Commit | None:
        """What was begun, where it answers ``question``: from now on it is the answer."""
        begun = self._begun
        if begun is None or not same_words(begun.question, question):
            return None
        self._begun = None
        return Commit(begun.stamp, question)
