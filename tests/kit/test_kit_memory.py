"""The memory of a mesh's processes."""

from __future__ import annotations

import subprocess
import sys

from voicemesh.supervisor.memory import held_bytes

_HOLDS = 60_000_000
_CHILD = (
    f"held = bytearray({_HOLDS}); held[::4096] = bytes(len(held[::4096]));"
    "print(flush=True); input()"
)
_PARENT = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {_CHILD!r}])"


def test_memory_counts_with_that_of_children_and_shared_pages_once() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", _PARENT], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout is not None
        parent.stdout.readline()  # The child holds it now.
        held, twice = held_bytes([parent.pid]), held_bytes([parent.pid, parent.pid])
        parent.communicate("\n")
    assert held is not None
    assert _HOLDS < held < _HOLDS + 60_000_000
    assert twice is not None
    assert abs(twice - held) < 5_000_000
    assert held_bytes([parent.pid]) == 0, "it has ended"
