"""Who is whose child process, as Linux's ``/proc`` tells."""

from __future__ import annotations

from pathlib import Path

PROC = Path("/proc")


def descendants(root: int) -> list[int]:
    """The children of a process, their children and so on, each before its own."""
    children: dict[int, list[int]] = {}
    for folder in PROC.glob("[0-9]*"):
        try:
            status = (folder / "stat").read_text()
        except (FileNotFoundError, ProcessLookupError):
            continue  # It has ended meanwhile.
        # The name in parentheses may hold anything; after it come state and parent.
        parent = int(status.rpartition(")")[2].split()[1])
        children.setdefault(parent, []).append(int(folder.name))
    found: list[int] = []
    waiting = sorted(children.get(root, []))
    while waiting:
        found.append(waiting.pop(0))
        waiting += sorted(children.get(found[-1], []))
    return found
