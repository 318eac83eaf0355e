"""Cuts a reply, while it is being written, into pieces that can be spoken.

The first piece is as short as the settings allow, because the listener waits
for it; later pieces are longer, because they sound better and nobody waits.
Decimals (3.14), times (10:30), abbreviations (Dr., e.g.), initials and list
numbers (1.) do not end a sentence. Code blocks are not spoken and never cut.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from voicemesh.writing import is_han
from voicemesh_orchestrator.settings import Cutting

_SENTENCE_MARKS = frozenset("。！？!?…．\n")
_CLAUSE_MARKS = frozenset("，、；：,;:")
_CLOSERS = frozenset("\"'”’」』）)]】》")
_FENCE = "```"
_ABBREVIATION_LIST = """
mr mrs ms dr prof sr jr st vs etc approx dept est fig inc ltd co corp no vol
jan feb mar apr jun jul aug sep sept oct nov dec mon tue wed thu fri sat sun
e.g i.e a.m p.m u.s u.k
"""
_ABBREVIATIONS = frozenset(_ABBREVIATION_LIST.split())
_LAST_WORD = re.compile(r"[^\W_][\w.]*$")
_HAN_LENGTH = 3


@dataclass(frozen=True)
class Piece:
    """A piece of the reply and where it stands in it, in code points."""

    text: str
    first_char: int


def _spoken_length(char: str) -> int:
    return _HAN_LENGTH if is_han(char) else 1


def _full_stop_ends(before: str, after: str, complete: bool) -> bool:
    """Whether the full stop between ``before`` and ``after`` ends a sentence."""
    word = _LAST_WORD.search(before)
    if after and not (after[0].isspace() or after[0] in _CLOSERS):
        return False  # 3.14, voicemesh.toml, ...
    if word is None:
        return bool(before.strip())  # After a closing bracket or quote.
    text = word.group().lower()
    if text.isdigit():
        # "1. " opens a list entry only where a line begins; a number may also
        # end a sentence ("It is 42."), but then its digits must be complete.
        opens_line = not before[: word.start()].strip() or before[: word.start()].endswith("\n")
        return not opens_line and (bool(after) or complete)
    if text in _ABBREVIATIONS or (len(text) == 1 and text.isalpha() and text != "i"):
        return complete and not after
    return True


class PieceCutter:
    """Takes text as it is written, gives pieces as soon as they can be spoken."""

    def __init__(self, settings: Cutting) -> None:
        """One cutter serves one reply."""
        self._settings = settings
        self._text = ""
        self._first_char = 0
        self._in_fence = False
        self._first = True

    def process(self, text: str) -> list[Piece]:
        """The pieces that are complete after ``text``."""
        self._text += text
        if not self._settings.overlap:
            return []
        return self._cut(complete=False)

    def finish(self) -> list[Piece]:
        """The pieces that remain when the reply is complete."""
        pieces = self._cut(complete=True)
        if self._text.strip() and not self._in_fence:
            pieces.append(self._take(len(self._text)))
        return pieces

    def _cut(self, complete: bool) -> list[Piece]:
        pieces: list[Piece] = []
        while True:
            if self._in_fence:
                if not self._leave_fence():
                    return pieces
                continue
            fence = self._text.find(_FENCE)
            limit = len(self._text) if fence < 0 else fence
            end = self._boundary(limit, complete or fence >= 0)
            if end == 0 and fence >= 0:
                if self._text[:fence].strip():
                    pieces.append(self._take(fence))
                else:
                    self._drop(fence)
                self._drop(len(_FENCE))
                self._in_fence = True
            elif end == 0:
                return pieces
            elif self._text[:end].strip():
                pieces.append(self._take(end))
            else:
                self._drop(end)

    def _leave_fence(self) -> bool:
        end = self._text.find(_FENCE)
        if end < 0:
            # Half a fence may still wait for its other half.
            self._drop(max(0, len(self._text) - len(_FENCE) + 1))
            return False
        self._drop(end + len(_FENCE))
        self._in_fence = False
        return True

    def _take(self, end: int) -> Piece:
        piece = Piece(self._text[:end], self._first_char)
        self._drop(end)
        self._first = False
        return piece

    def _drop(self, count: int) -> None:
        self._text = self._text[count:]
        self._first_char += count

    def _boundary(self, limit: int, complete: bool) -> int:
        """Where the next piece of ``text[:limit]`` ends; 0: not yet."""
        text = self._text[:limit]
        length = 0
        shortest = (
            self._settings.min_tts_input_len if self._first else self._settings.later_piece_len
        )
        last_break = 0
        for index, char in enumerate(text):
            length += _spoken_length(char)
            if length > self._settings.longest_piece_len:
                return last_break or index
            end = self._after_closers(text, index + 1)
            if char in _SENTENCE_MARKS:
                ends = True
            elif char == ".":
                ends = _full_stop_ends(text[:index], text[index + 1 :], complete)
            else:
                ends = False
                if self._is_clause_mark(text, index):
                    last_break = end
                    # Only the first piece is worth a clause: its listener waits.
                    ends = self._first
                elif char.isspace():
                    last_break = max(last_break, index + 1)
            if ends and length + end - index - 1 >= shortest:
                return end
        return 0

    @staticmethod
    def _after_closers(text: str, end: int) -> int:
        while end < len(text) and text[end] in _CLOSERS:
            end += 1
        return end

    @staticmethod
    def _is_clause_mark(text: str, index: int) -> bool:
        if text[index] not in _CLAUSE_MARKS:
            return False
        if text[index] in ",:":  # 1,000 and 10:30 are numbers; http: is an address.
            return index + 1 < len(text) and text[index + 1].isspace()
        return True
