"""A rule of normalisation: a pattern, and the words for what it matches."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from voicemesh_tts.text.scripts import Reading, Surroundings
from voicemesh_tts.text.traced import Part, Rewrite, TracedText

GREEK_LETTER = "[\u0370-\u03ff\u00b5]"
"""One alone among other letters is a symbol; several are a Greek word."""


@dataclass(frozen=True)
class Rule:
    """What is said for a written form, in one language."""

    pattern: re.Pattern[str]
    say: Rewrite


def rule(pattern: str, say: Rewrite, flags: int = 0) -> Rule:
    """A rule from a regular expression."""
    return Rule(re.compile(pattern, flags), say)


def apply_rules(
    text: TracedText, rules: Iterable[Rule], language: str, reading: Reading
) -> TracedText:
    """Rewrite what the rules match wherever the surroundings are of ``language``."""
    for item in rules:
        if item.pattern.search(text.text) is None:
            continue
        text = text.rewrite(
            item.pattern, _within(item.say, Surroundings(text.text, reading), language)
        )
    return text


def _within(say: Rewrite, around: Surroundings, language: str) -> Rewrite:
    def rewrite(match: re.Match[str]) -> str | Sequence[Part] | None:
        if match.end() == match.start() or around.language(*match.span()) != language:
            return None
        return say(match)

    return rewrite
