"""Cuts spoken text into units: one language each, no longer than an engine likes."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

from voicemesh_tts.text.scripts import Reading, scripts_of

Ending = Literal["sentence", "clause", "none"]

_SENTENCE = re.compile(r"[.!?]\s+")
_CLAUSE = re.compile(r"[,;:]\s+")
# Before these words a speaker may breathe where there is no mark.
_JOINT = re.compile(
    r"\s(?=(?:and|or|but|so|because|if|when|where|while|that|which|who|than|as|after|before|until"
    r"|about|at|by|for|from|in|into|of|on|over|through|to|under|with|without)\s)"
)


@dataclass(frozen=True)
class Unit:
    """What one call of an engine says: ``text[begin:end]`` of the spoken text."""

    text: str
    begin: int
    end: int
    language: str
    ending: Ending
    """How it ends, which decides the pause that follows."""


def units(text: str, reading: Reading, max_chars: int) -> Iterator[Unit]:
    """The units of a spoken text in order; spaces at their borders belong to none."""
    for begin, end in _split(text, 0, len(text), _SENTENCE):
        for start, stop, language in _runs(text, begin, end, reading):
            for a, b in _shorten(text, start, stop, max_chars):
                words = text[a:b]
                if any(c.isalnum() for c in words):
                    yield Unit(words, a, b, language, _ending(words))


def joined(
    parts: Iterable[Unit], text: str, languages: Collection[str], max_chars: int
) -> Iterator[Unit]:
    """Units of ``text`` with neighbours of one of the ``languages`` made one, up to a length."""
    held: Unit | None = None
    for unit in parts:
        if (
            held is not None
            and unit.language == held.language
            and unit.language in languages
            and unit.end - held.begin <= max_chars
        ):
            words = text[held.begin : unit.end]
            held = Unit(words, held.begin, unit.end, unit.language, unit.ending)
            continue
        if held is not None:
            yield held
        held = unit
    if held is not None:
        yield held


def _split(text: str, begin: int, end: int, border: re.Pattern[str]) -> Iterator[tuple[int, int]]:
    for match in border.finditer(text, begin, end):
        if match.end() < end:
            yield from _stripped(text, begin, match.end())
            begin = match.end()
    yield from _stripped(text, begin, end)


def _stripped(text: str, begin: int, end: int) -> Iterator[tuple[int, int]]:
    while begin < end and text[begin] == " ":
        begin += 1
    while begin < end and text[end - 1] == " ":
        end -= 1
    if begin < end:
        yield begin, end


def _runs(text: str, begin: int, end: int, reading: Reading) -> Iterator[tuple[int, int, str]]:
    current: str | None = None
    start = begin
    for i, script in enumerate(scripts_of(text[begin:end]), begin):
        if script is None:
            continue  # Marks, spaces and digits stay with the run before.
        language = reading.language_of(script)
        if current is not None and language != current:
            for a, b in _stripped(text, start, i):
                yield a, b, current
            start = i
        current = language
    for a, b in _stripped(text, start, end):
        yield a, b, current or reading.default


def _shorten(text: str, begin: int, end: int, max_chars: int) -> Iterator[tuple[int, int]]:
    """Cut at clauses, then where a speaker would breathe, then at words, then anywhere."""
    while end - begin > max_chars:
        window = text[begin : begin + max_chars]
        cut = _clause_end(window) or _joint(window, end - begin) or window.rfind(" ") + 1
        cut = begin + (cut or max_chars)
        yield from _stripped(text, begin, cut)
        begin = cut
    yield from _stripped(text, begin, end)


def _clause_end(window: str) -> int | None:
    """Behind the last clause, unless that is short."""
    ends = [match.end() for match in _CLAUSE.finditer(window)]
    return ends[-1] if ends and ends[-1] > len(window) // 4 else None


def _joint(window: str, length: int) -> int | None:
    """Where to cut a text of ``length`` that begins with ``window`` into parts about as long."""
    part = length / -(-length // len(window))
    joints = [match.end() for match in _JOINT.finditer(window)]
    likely = [joint for joint in joints if joint > len(window) // 4]
    return min(likely, key=lambda joint: abs(joint - part), default=None)


def _ending(words: str) -> Ending:
    if words[-1] in ".!?":
        return "sentence"
    return "clause" if words[-1] in ",;:" else "none"
