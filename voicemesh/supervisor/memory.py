"""How much memory processes hold, as Linux's ``/proc`` tells."""

from __future__ import annotations

import re
from collections.abc import Iterable

from voicemesh.process_tree import PROC, descendants

_PSS = re.compile(r"^Pss:\s+(\d+) kB$", re.MULTILINE)


def held_bytes(roots: Iterable[int]) -> int | None:
    """What the processes ``roots`` and their descendants hold, in bytes; None: nobody tells.

    The sum of their proportional set sizes (PSS): a page that n processes share counts as an
    nth of it in each, so that the sum is what the machine would have free without them.
    """
    if not (PROC / "self/smaps_rollup").exists():
        return None
    family = {pid for root in roots for pid in (root, *descendants(root))}
    return sum(_pss_bytes(pid) for pid in family)


def _pss_bytes(pid: int) -> int:
    try:
        found = _PSS.search((PROC / str(pid) / "smaps_rollup").read_text())
    except OSError:  # It has ended meanwhile.
        return 0
    return int(found[1]) * 1024 if found else 0
