"""How much memory processes hold, as Linux's ``/proc`` tells."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

_PROC = Path("/proc")
_PSS = re.compile(r"^Pss:\s+(\d+) kB$", re.MULTILINE)


def held_bytes(roots: Iterable[int]) -> int | None:
    """What the processes ``roots`` and their descendants hold, in bytes; None: nobody tells.

    The sum of their proportional set sizes (PSS): a page that n processes share counts as an
    nth of it in each, so that the sum is what the machine would have free without them.
    """
    if not (_PROC / "self/smaps_rollup").exists():
        return None
    return sum(_pss_bytes(pid) for pid in _with_descendants(roots))


def _pss_bytes(pid: int) -> int:
    try:
        found = _PSS.search((_PROC / str(pid) / "smaps_rollup").read_text())
    except OSError:  # It has ended meanwhile.
        return 0
    return int(found[1]) * 1024 if found else 0


def _with_descendants(roots: Iterable[int]) -> set[int]:
    children: dict[int, list[int]] = {}
    for folder in _PROC.glob("[0-9]*"):
        try:
            status = (folder / "stat").read_text()
        except OSError:
            continue
        # The name in parentheses may hold anything; after it come state and parent.
        children.setdefault(int(status.rpartition(")")[2].split()[1]), []).append(int(folder.name))
    found: set[int] = set()
    waiting = list(roots)
    while waiting:
        pid = waiting.pop()
        found.add(pid)
        waiting += children.get(pid, [])
    return found
