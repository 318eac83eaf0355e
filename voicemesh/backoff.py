"""How long to wait before something that failed is tried again."""

from __future__ import annotations


class Backoff:
    """Waits that double from the first to the longest.

    It only counts: who waits does so on a clock of its own, or until something happens.
    """

    def __init__(self, first_s: float, longest_s: float) -> None:
        """Both in seconds."""
        self._first_s = first_s
        self._longest_s = longest_s
        self._next_s = first_s

    def next_s(self) -> float:
        """The wait before the next try, in seconds; the one after it is twice as long."""
        wait_s = self._next_s
        self._next_s = min(2 * wait_s, self._longest_s)
        return wait_s

    def reset(self) -> None:
        """It has worked: the next failure waits as the first did."""
        self._next_s = self._first_s
