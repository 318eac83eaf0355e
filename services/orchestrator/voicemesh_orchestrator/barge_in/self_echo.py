"""Whether what was understood is the robot's own reply, heard by its microphone.

The second line against echo: the robot has taken out of its sound what it knows
of its own voice; what still gets through is understood as words of the reply.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from difflib import SequenceMatcher

from voicemesh_orchestrator.text.words import words

# Recognisers mishear distorted speech: "intelligence" may come as "intelligent".
_ALIKE = 0.72
_SHORT_WORD = 4
"""Words of so few letters differ by one and mean something else: "wait" is not "what"."""
_SHARE = 0.6
"""From this share of repeated words on a hypothesis is the robot's own."""
# So few words stand in any reply by chance ("why is that"): all of them must be its own.
_FEW = 3
# Where words are left out or added in between, at most so many at once.
_LONGEST_JUMP = 3
# A recogniser writes a number as it likes: "1000" for 1,000, "10 30" for 10:30.
_THOUSANDS = re.compile(r"(?<=\d),(?=\d{3})")
_WITHIN_A_NUMBER = re.compile(r"(?<=\d)[.:](?=\d)")
_LONGEST = 64
"""Newest words of a hypothesis that are looked at; bounds the work."""


def _spoken(text: str) -> tuple[str, ...]:
    """The words of ``text``, however its numbers are written."""
    return words(_WITHIN_A_NUMBER.sub(" ", _THOUSANDS.sub("", text)))


def repeated_share(hypothesis: str, reply: str) -> float:
    """The share of ``hypothesis`` that ``reply`` says too, in its order, 0 to 1.

    Words count as the same where they are spelt alike. Only one place of the
    reply counts, with gaps of up to three words: words that are scattered over
    it are no repetition. Nothing understood repeats nothing: 0.
    """
    heard = _spoken(hypothesis)[-_LONGEST:]
    said = _spoken(reply)
    if not heard or not said:
        return 0.0
    return min(1.0, _longest_chain(heard, said) / len(heard))


def _longest_chain(heard: Sequence[str], said: Sequence[str]) -> int:
    """How many words of ``heard`` are found in ``said`` one after the other, nearly."""
    alike: dict[tuple[str, str], bool] = {}
    chains: dict[tuple[int, int], int] = {}
    best = 0
    for i, word in enumerate(heard):
        for j, other in enumerate(said):
            pair = (word, other)
            if pair not in alike:
                alike[pair] = _sounds_alike(word, other)
            if not alike[pair]:
                continue
            before = (
                chains.get((i - 1 - skipped, j - 1 - jumped), 0)
                for skipped in range(_LONGEST_JUMP)
                for jumped in range(_LONGEST_JUMP + 1)
            )
            chains[i, j] = 1 + max(before)
            best = max(best, chains[i, j])
    return best


def _sounds_alike(word: str, other: str) -> bool:
    if word == other:
        return True
    if min(len(word), len(other)) <= _SHORT_WORD:
        return False
    matcher = SequenceMatcher(None, word, other, autojunk=False)
    return matcher.quick_ratio() >= _ALIKE and matcher.ratio() >= _ALIKE


def is_self_echo(hypothesis: str, reply: str, stop_phrases: Iterable[str] = ()) -> bool:
    """Whether ``hypothesis`` is the robot hearing itself say ``reply``.

    Args:
        hypothesis: what has been understood while the reply played, interim or final.
        reply: the text of the reply around the place that plays: what was heard of it
            so far and the next second or so. The whole reply is fine too, but the more
            text, the likelier a user's short answer stands in it by chance.
        stop_phrases: what always stops the robot ("stop", "停"). A hypothesis that has
            one in it is never the robot's own: falling silent for nothing is the
            smaller harm.

    True where at least 0.6 of the words are repeated (Chinese: of the characters); of
    three or fewer all.
    """
    heard = _spoken(hypothesis)
    for phrase in stop_phrases:
        wanted = _spoken(phrase)
        places = range(len(heard) - len(wanted) + 1)
        if wanted and any(heard[i : i + len(wanted)] == wanted for i in places):
            return False
    return repeated_share(hypothesis, reply) >= (1 if len(heard) <= _FEW else _SHARE)
