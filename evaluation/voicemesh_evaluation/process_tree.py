"""What the processes of a mesh hold: memory, file descriptors, threads, tasks.

Read from Linux's ``/proc`` and from the services' own metrics.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from voicemesh.errors import Unsupported
from voicemesh.process_tree import PROC, descendants
from voicemesh_evaluation.service_metrics import read_metrics

_TASKS = "voicemesh_event_loop_tasks"


@dataclass(frozen=True)
class ProcessResources:
    """What one process holds at one moment."""

    rss_kb: int
    """Resident memory, in kB of 1024 bytes."""
    anonymous_kb: int
    """The part of it that is no file's: heap and stacks."""
    descriptors: int
    threads: int


def read_resources(pid: int) -> ProcessResources:
    """What the process ``pid`` holds; ProcessLookupError when there is none."""
    folder = PROC / str(pid)
    try:
        memory = _fields(folder / "smaps_rollup")
        return ProcessResources(
            rss_kb=memory["Rss"],
            anonymous_kb=memory["Anonymous"],
            descriptors=len(os.listdir(folder / "fd")),
            threads=len(os.listdir(folder / "task")),
        )
    except FileNotFoundError:
        if not PROC.joinpath("self", "smaps_rollup").exists():
            raise Unsupported("this needs Linux: /proc tells what processes hold") from None
        raise ProcessLookupError(pid) from None


def _fields(path: Path) -> dict[str, int]:
    """``Rss:  1234 kB`` and its like, by name."""
    found = re.findall(r"^(\w+):\s+(\d+) kB$", path.read_text(), re.MULTILINE)
    return {name: int(value) for name, value in found}


def tree(roots: Mapping[str, int]) -> dict[str, int]:
    """The processes ``roots`` (name to pid) and their descendants, named after them."""
    found: dict[str, int] = {}
    for name, pid in roots.items():
        found[name] = pid
        for number, child in enumerate(descendants(pid), 1):
            found[f"{name} child {number}"] = child
    return found


def cpu_s(root: int) -> float:
    """The processor time of a process and its descendants so far, in seconds.

    With that of those who have ended and were waited for.
    """
    ticks = 0
    for pid in tree({"root": root}).values():
        try:
            fields = (PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            continue  # It has ended meanwhile.
        ticks += sum(map(int, fields[11:15]))  # In user and system mode, its children's behind.
    return ticks / os.sysconf("SC_CLK_TCK")


def event_loop_tasks(metrics_url: str) -> int:
    """The asyncio tasks of a service, as its metrics tell; blocks for a moment."""
    for sample in read_metrics(metrics_url):
        if sample.name == _TASKS:
            return int(sample.value)
    raise Unsupported(f"{metrics_url} does not tell {_TASKS}")
