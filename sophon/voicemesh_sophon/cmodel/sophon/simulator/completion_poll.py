"""Shortens the device library's wait between two looks for a finished launch.

The library sleeps 200 ms each time (``usleep(200000)``), which is harmless on no chip and
two hundred times too long for a simulated graph of some thousand operations. The number
is changed in this process's memory only, and only if it is found exactly once.
"""

from __future__ import annotations

import ctypes
import mmap
from typing import List, NamedTuple

_STOCK_US = 200_000
_SHORT_US = 500
_LOAD_ARGUMENT = b"\xbf"  # mov edi, imm32: how x86-64 code passes usleep its argument


class Region(NamedTuple):
    """A mapped part of a file: addresses ``start`` to ``end``."""

    start: int
    end: int


def code_regions(path: str) -> List[Region]:
    """The executable parts of a library that this process has mapped."""
    regions = []
    with open("/proc/self/maps") as maps:
        for line in maps:
            addresses, permissions, _, _, _, *name = line.rstrip("\n").split(None, 5)
            if name == [path] and "x" in permissions:
                start, end = (int(address, 16) for address in addresses.split("-"))
                regions.append(Region(start, end))
    return regions


def shorten(device_library: ctypes.CDLL) -> bool:
    """Makes the wait half a millisecond. False, and nothing done, if it is not found."""
    stock = _LOAD_ARGUMENT + _STOCK_US.to_bytes(4, "little")
    found = []
    for start, end in code_regions(device_library._name):
        code = ctypes.string_at(start, end - start)
        at = code.find(stock)
        while at >= 0:
            found.append(start + at)
            at = code.find(stock, at + 1)
    if len(found) != 1:
        return False
    c = ctypes.CDLL(None, use_errno=True)
    c.mprotect.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
    page = found[0] - found[0] % mmap.PAGESIZE
    size = found[0] + len(stock) - page
    if c.mprotect(page, size, mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC):
        return False
    ctypes.memmove(found[0] + 1, _SHORT_US.to_bytes(4, "little"), 4)
    c.mprotect(page, size, mmap.PROT_READ | mmap.PROT_EXEC)
    return True
