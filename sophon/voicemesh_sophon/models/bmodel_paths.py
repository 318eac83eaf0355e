"""The bmodels that a setting names: files, folders, patterns."""

from __future__ import annotations

import glob
from collections.abc import Iterable, Iterator
from pathlib import Path


def bmodels(named: Iterable[Path]) -> tuple[Path, ...]:
    """The files, in the order in which they are named, those of one name sorted.

    A folder stands for the bmodels in it, a pattern (``*``, ``?``, ``[...]``, ``**``) for
    those that match. What stands for nothing stays as it is: whoever reads it says so.
    """
    found = (path for name in named for path in _stands_for(name.expanduser()))
    return tuple(dict.fromkeys(found))


def _stands_for(name: Path) -> Iterator[Path]:
    text = str(name)
    if name.is_dir():
        matches = sorted(name.glob("*.bmodel"))
    elif glob.has_magic(text) and not name.exists():
        matches = sorted(Path(match) for match in glob.glob(text, recursive=True))
    else:
        matches = []
    yield from matches or [name]
