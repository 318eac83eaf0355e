"""Which token ids have their keys and values on the chip, by slot.

A slot holds the cache of one conversation: the ids of its last prompt and of the
reply, as far as they were fed. The next turn of the same conversation begins with
the same ids, so only what is new has to be fed. Bookkeeping only: the memory
itself is in ``kv_memory``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum

from voicemesh_llm.engines.sophon_llm.written import Written


class PrefixMatch(Enum):
    """Where the beginning of a prompt was found. The values are metric labels."""

    CONVERSATION = "conversation"
    """In the conversation's own slot."""
    OTHER = "other"
    """In another conversation's slot, such as a system prompt that both share."""
    NONE = "none"


@dataclass(eq=False)
class CacheSlot:
    """The cache of one conversation."""

    index: int
    conversation: str = ""
    ids: list[int] = field(default_factory=list)
    """Tokens whose keys and values the slot holds, in order of position."""
    written: Written = Written()
    """Prompt and reply of the last turn, as text and ids; more than ``ids`` by the
    last token, which was never fed."""
    used: int = 0
    """When it was used last, counted in leases; 0: never."""

    def forget(self) -> None:
        """The content is gone or cannot be trusted."""
        self.ids.clear()
        self.written = Written()


@dataclass(frozen=True, eq=False)
class Lease:
    """What a prompt gets."""

    slot: CacheSlot
    source: CacheSlot
    """The slot that holds the common prefix; ``slot`` itself unless it is copied."""
    matched: int
    """Leading tokens of the prompt that ``source`` holds."""
    match: PrefixMatch
    evicted: bool
    """Whether another conversation lost its cache."""


class PrefixCache:
    """A fixed number of slots. A conversation finds its own again; the oldest goes first."""

    def __init__(self, slots: int) -> None:
        """``slots``: at least 1."""
        self.slots = [CacheSlot(index) for index in range(slots)]
        self._leases = 0

    @property
    def in_use(self) -> int:
        """Slots that hold something."""
        return sum(bool(slot.ids) for slot in self.slots)

    def unused(self) -> CacheSlot | None:
        """A slot that no conversation has had and that holds nothing."""
        return next((slot for slot in self.slots if not slot.used and not slot.ids), None)

    def known(self, conversation: str) -> CacheSlot | None:
        """The slot of a conversation."""
        found = (s for s in self.slots if conversation and s.conversation == conversation)
        return next(found, None)

    def forget(self) -> None:
        """Something failed on the way: what the memory holds is not known any more."""
        for slot in self.slots:
            slot.forget()

    def lease(self, conversation: str, prompt: Sequence[int]) -> Lease:
        """The slot for a prompt, and whose tokens it can begin with.

        The slot's own ids stay as they are: the caller cuts them to what it keeps.
        """
        self._leases += 1
        own = self.known(conversation)
        slot = own or min(self.slots, key=lambda s: (bool(s.ids), s.used))
        # What was read ahead is nobody's conversation.
        evicted = own is None and bool(slot.ids) and slot.used > 0
        source = max(self.slots, key=lambda s: (common_prefix(s.ids, prompt), s is slot))
        matched = common_prefix(source.ids, prompt)
        if not matched:
            source, match = slot, PrefixMatch.NONE
        elif source is own:
            match = PrefixMatch.CONVERSATION
        else:
            match = PrefixMatch.OTHER
        slot.conversation, slot.used = conversation, self._leases
        return Lease(slot, source, matched, match, evicted)


def common_prefix(first: Sequence[int], second: Sequence[int]) -> int:
    """How many leading ids are equal."""
    for index, (a, b) in enumerate(zip(first, second, strict=False)):
        if a != b:
            return index
    return min(len(first), len(second))
