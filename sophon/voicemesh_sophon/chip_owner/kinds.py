"""The kinds of chips: how many cores they have, and whose files they take.

This module runs on Python 3.8, because the chip owner does.
"""

from __future__ import annotations

CORES = {"BM1684X": 1, "BM1688": 2, "CV186AH": 1, "CV186X": 1}
"""Cores of the chips that are supported."""

_SAME_FILES = {"CV186AH": "BM1688", "CV186X": "BM1688"}
"""Chips that take the files of another: a CV186AH is a BM1688 with one core."""


def files_of(kind: str) -> str:
    """The chip that the files for ``kind`` are compiled for."""
    return _SAME_FILES.get(kind.upper(), kind.upper())
