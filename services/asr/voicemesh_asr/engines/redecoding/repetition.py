"""A text that goes in circles: what is said again and again is said once.

A network that writes token by token may fall into a loop over sound that it does not
understand: "It's true. It's true. It's true." People repeat themselves too, a word or
two a few times; what is cut here is longer than that.
"""

from __future__ import annotations

from collections.abc import Sequence

_LONGEST = 12
"""Units of the longest part that is looked for: a short sentence."""
_TIMES, _REPEATED = 3, 8
"""From so many times on, and so many units together, a part is a loop: "no, no, no" is
none."""
_SUSPECTED_REPEATED = 3
"""Of a text that nobody can have spoken, so many units that are said again are a loop."""


def loop_begin(units: Sequence[str], spoken: bool = True) -> int | None:
    """Where the second saying of what is said again until the end begins; None: nowhere.

    ``units``: the pieces of a text, without case, and without marks behind the loop.
    ``spoken``: False where the text did not end or is too long for its sound: a part that
    is said but twice is a loop then, the second time possibly not to its end.
    """
    for length in range(1, _LONGEST + 1):
        repeated = _repeated(units, length)
        said = repeated + length
        # The last time there is a full stop instead of a comma.
        if said >= _TIMES * length - 1 and said >= _REPEATED:
            return len(units) - repeated
        if not spoken and min(length, repeated) >= _SUSPECTED_REPEATED:
            return len(units) - repeated
    return None


def _repeated(units: Sequence[str], length: int) -> int:
    """How many units at the end are those ``length`` units before them."""
    count = 0
    while count + length < len(units) and units[-1 - count] == units[-1 - count - length]:
        count += 1
    return count
