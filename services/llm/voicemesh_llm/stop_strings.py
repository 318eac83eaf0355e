"""Stop strings on a stream of text: none ever leaks, however the text is cut."""

from __future__ import annotations

from collections.abc import Sequence


def held_length(text: str, marks: Sequence[str]) -> int:
    """The length of the longest end of ``text`` that may be the beginning of a mark."""
    longest = min(len(text), max((len(mark) for mark in marks), default=1) - 1)
    for length in range(longest, 0, -1):
        if any(mark.startswith(text[-length:]) for mark in marks if len(mark) > length):
            return length
    return 0


class StopStrings:
    """Passes text on until the first stop string is complete.

    Text that may be the beginning of a stop string is held back until it is clear.
    The stop string that is complete first counts; of several that end at the same
    place, the longest. So the result is the same for any way to cut the text.
    """

    def __init__(self, stops: Sequence[str]) -> None:
        """``stops`` must not contain the empty string."""
        self._stops = tuple(stops)
        self._held = ""
        self.met = False
        """Whether a stop string has been met; nothing passes after it."""

    def process(self, text: str) -> str:
        """Take more text; returns what is safe to say now."""
        if self.met:
            return ""
        text = self._held + text
        found = [(text.find(stop), stop) for stop in self._stops if stop in text]
        if found:
            self.met = True
            self._held = ""
            _, start = min((start + len(stop), start) for start, stop in found)
            return text[:start]
        held = held_length(text, self._stops)
        self._held = text[len(text) - held :]
        return text[: len(text) - held]

    def finish(self) -> str:
        """The text is over: what was held is no stop string after all."""
        text, self._held = self._held, ""
        return text
