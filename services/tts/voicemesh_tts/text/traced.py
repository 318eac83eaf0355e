"""Text that remembers where each of its characters came from."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

Part = str | int | tuple[int, int]
"""A part of a replacement: new words, or something of the match that is kept:
a group by its number, or a range of the text."""

Rewrite = Callable[[re.Match[str]], "str | Sequence[Part] | None"]
"""Says what stands for a match: new words, parts, or None to leave it as it is."""


class TracedText:
    """An immutable text whose every character knows its span in the source.

    ``begins[i]`` and ``ends[i]`` are the span, in code points of the source, that
    character ``i`` speaks for. Both never decrease along the text, whatever is
    rewritten.
    """

    __slots__ = ("begins", "ends", "text")

    def __init__(self, text: str, begins: list[int], ends: list[int]) -> None:
        """Three sequences of one length; see :meth:`of`."""
        self.text = text
        self.begins = begins
        self.ends = ends

    @classmethod
    def of(cls, source: str) -> TracedText:
        """The source itself: every character stands for itself."""
        return cls(source, list(range(len(source))), list(range(1, len(source) + 1)))

    def __len__(self) -> int:
        return len(self.text)

    def __getitem__(self, where: slice) -> TracedText:
        return TracedText(self.text[where], self.begins[where], self.ends[where])

    def __add__(self, other: TracedText) -> TracedText:
        return TracedText(
            self.text + other.text, self.begins + other.begins, self.ends + other.ends
        )

    def rewrite(self, pattern: re.Pattern[str], rewrite: Rewrite) -> TracedText:
        """The text with every match replaced by what ``rewrite`` returns for it.

        New words stand for the whole match, or for the gap between the parts of
        the match that are kept around them.
        """
        out = _Builder()
        position = 0
        for match in pattern.finditer(self.text):
            written = rewrite(match)
            if written is None or match.end() == match.start():
                continue
            out.keep(self, position, match.start())
            self._put(out, match, [written] if isinstance(written, str) else written)
            position = match.end()
        if position == 0:
            return self
        out.keep(self, position, len(self))
        return out.done()

    def _put(self, out: _Builder, match: re.Match[str], parts: Sequence[Part]) -> None:
        kept = [None if isinstance(p, str) else _range(match, p) for p in parts]
        left = match.start()
        for index, part in enumerate(parts):
            span = kept[index]
            if span is not None:
                out.keep(self, *span)
                left = max(left, span[1])
            elif isinstance(part, str):
                following = (s[0] for s in kept[index + 1 :] if s is not None)
                right = next(following, match.end())
                if right <= left:  # nothing lies between: share the neighbour's span
                    out.write(part, self.begins[max(left - 1, 0)], self.ends[max(left - 1, 0)])
                else:
                    out.write(part, self.begins[left], self.ends[right - 1])

    def only(self, speakable: Callable[[str], bool]) -> TracedText:
        """The text without the characters that ``speakable`` refuses."""
        out = _Builder()
        for i, char in enumerate(self.text):
            if speakable(char):
                out.keep(self, i, i + 1)
        return out.done()

    def translate(self, table: dict[int, str]) -> TracedText:
        """The text with single characters replaced, as by ``str.translate``."""
        if self.text.translate(table) == self.text:
            return self
        out = _Builder()
        for i, char in enumerate(self.text):
            out.write(table.get(ord(char), char), self.begins[i], self.ends[i])
        return out.done()


def _range(match: re.Match[str], part: int | tuple[int, int]) -> tuple[int, int]:
    if isinstance(part, tuple):
        return part
    begin, end = match.span(part)
    return (begin, end) if begin >= 0 else (match.start(), match.start())


class _Builder:
    def __init__(self) -> None:
        self._text: list[str] = []
        self._begins: list[int] = []
        self._ends: list[int] = []

    def keep(self, source: TracedText, begin: int, end: int) -> None:
        self._text.append(source.text[begin:end])
        self._begins.extend(source.begins[begin:end])
        self._ends.extend(source.ends[begin:end])

    def write(self, words: str, begin: int, end: int) -> None:
        self._text.append(words)
        self._begins.extend([begin] * len(words))
        self._ends.extend([end] * len(words))

    def done(self) -> TracedText:
        return TracedText("".join(self._text), self._begins, self._ends)
