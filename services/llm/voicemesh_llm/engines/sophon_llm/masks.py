"""Attention masks and positions as the nets take them.

A blocked place is a large negative number, not minus infinity: rows that see
nothing but padding have to stay finite, or not-a-number spreads through the sums.
"""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from voicemesh_sophon.client import to_bfloat16

Stored: TypeAlias = npt.NDArray[Any]
BLOCKED = -10_000.0
"""Small enough for any softmax, and exact in float16; bfloat16 makes it -9984."""


def stored(values: npt.NDArray[np.float32], dtype: str) -> Stored:
    """``values`` as tensors of ``dtype`` hold them."""
    return to_bfloat16(values) if dtype == "bfloat16" else values.astype(dtype)


def prefill_mask(length: int, dtype: str, history: int = 0) -> Stored:
    """Each new token sees the history, itself and what is before it.

    Shape (1, 1, length, history + length). Rows behind the prompt's end may see what
    they like: nobody looks at them, and nothing before sees them. So the mask of a
    static net is the same for every prompt.
    """
    rows, columns = np.ogrid[:length, : history + length]
    mask = np.where(columns - history <= rows, 0.0, BLOCKED).astype(np.float32)
    return stored(mask[None, None], dtype)


def joint_mask(cached: int, capacity: int, new: int, length: int, dtype: str) -> Stored:
    """The same for nets whose history always has ``capacity`` rows, ``cached`` of them real.

    Shape (1, 1, new, capacity + length): the ``length`` tokens of a launch stand behind
    the whole history, and the ``new`` ones among them have a row each.
    """
    rows, columns = np.ogrid[:new, : capacity + length]
    seen = np.where(columns < capacity, columns < cached, columns - capacity <= rows)
    clear, blocked = stored(np.array([0.0, BLOCKED], np.float32), dtype)
    mask: Stored = np.where(seen, clear, blocked)
    return mask[None, None]


class StepMask:
    """One token sees the cached ones and itself, which stands behind the whole cache.

    Changed from token to token: the next one sees one more.
    """

    def __init__(self, capacity: int, dtype: str) -> None:
        """``capacity``: rows of the cache as the nets are launched with it."""
        blocked = np.full((1, 1, 1, capacity + 1), BLOCKED, np.float32)
        blocked[..., capacity] = 0
        self._mask = stored(blocked, dtype)
        self._row = self._mask.reshape(-1)
        self._blocked = self._row[:1].copy()
        self._cached = 0

    def behind(self, cached: int) -> Stored:
        """The mask of a token behind so many cached ones; good until the next one is asked for.

        Shape (1, 1, 1, capacity + 1).
        """
        self._row[self._cached : cached] = 0
        self._row[cached : self._cached] = self._blocked
        self._cached = cached
        return self._mask


def padded(values: npt.ArrayLike, length: int) -> npt.NDArray[np.int32]:
    """Ids or positions as a row of ``length``, zeros behind; shape (1, length), int32."""
    row = np.zeros((1, length), np.int32)
    given = np.asarray(values, np.int32)
    row[0, : len(given)] = given
    return row
