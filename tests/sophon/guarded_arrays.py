"""Run as ``python guarded_arrays.py MODEL``: loads a bmodel where no array has room behind it.

Every array that the vendor's libraries make ends at a page that nobody may read, as one
that lies at the end of its heap may do. Whoever reads beyond an array's end is ended by
SIGSEGV at once, and not once in a thousand loads.
"""

from __future__ import annotations

import ctypes
import mmap
import os
import sys

from voicemesh_sophon.cmodel.sophon import sail
from voicemesh_sophon.cmodel.sophon.simulator.linkage import address_of, import_slot

SMALLEST, LARGEST = 128, 1 << 20  # bytes; what else is made goes the usual way
ALIGNMENT = 16

number = ctypes.c_int
pointer, size = ctypes.c_void_p, ctypes.c_size_t
ALLOCATE, RELEASE = ctypes.CFUNCTYPE(pointer, size), ctypes.CFUNCTYPE(None, pointer)

c = ctypes.CDLL(None)
malloc, free = ALLOCATE(("malloc", c)), RELEASE(("free", c))
c.mmap.restype = pointer
c.mmap.argtypes = [pointer, size, number, number, number, ctypes.c_long]
c.munmap.argtypes = [pointer, size]
c.mprotect.argtypes = [pointer, size, number]
READ_WRITE = mmap.PROT_READ | mmap.PROT_WRITE

guarded: dict[int, tuple[int, int]] = {}


def allocate(count: int) -> int:
    if not SMALLEST <= count <= LARGEST:
        return int(malloc(count))
    room = -(-count // mmap.PAGESIZE) * mmap.PAGESIZE
    flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS
    start: int = c.mmap(None, room + mmap.PAGESIZE, READ_WRITE, flags, -1, 0)
    c.mprotect(start + room, mmap.PAGESIZE, 0)
    array = start + room - -(-count // ALIGNMENT) * ALIGNMENT
    guarded[array] = start, room + mmap.PAGESIZE
    return array


def release(array: int | None) -> None:
    if array in guarded:
        c.munmap(*guarded.pop(array))
    else:
        free(array)


REPLACEMENTS = {"malloc": ALLOCATE(allocate), "free": RELEASE(release)}


def guard() -> None:
    """Put the two functions in the place of those that C++ takes its memory from."""
    cxx = ctypes.CDLL("libstdc++.so.6")
    for name, function in REPLACEMENTS.items():
        slot = import_slot(cxx, name)
        assert slot is not None
        c.mprotect(slot - slot % mmap.PAGESIZE, mmap.PAGESIZE, READ_WRITE)
        ctypes.c_uint64.from_address(slot).value = address_of(function)


def main(model: str) -> None:
    handle = sail.Handle(0)
    guard()
    engine = sail.Engine(handle)
    engine.load(model)
    sys.stdout.write(f"{len(engine.get_graph_names())} networks\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main(sys.argv[1])
    os._exit(0)  # The libraries give memory back after Python's end, which the two need.
