"""Where a loaded library keeps the address of a function that it calls from elsewhere.

A library calls foreign functions through a table of addresses (the global offset table).
The ELF format's dynamic section, which stays in memory, says which entry is whose. A few
instructions of our own may be put in the place of such a function.
"""

from __future__ import annotations

import ctypes
import mmap
from typing import Any, Callable, Dict, Optional

_RELOCATION_SIZE, _SYMBOL_SIZE = 24, 24  # bytes: Elf64_Rela, Elf64_Sym
_END, _PLT_SIZE, _STRINGS, _SYMBOLS, _PLT = 0, 2, 5, 6, 23  # entries of the dynamic section
_LINK_MAP = 2  # what dlinfo is asked for


def _word(address: int) -> int:
    return ctypes.c_uint64.from_address(address).value


def _dynamic_section(address: int) -> Dict[int, int]:
    entries = {}
    while _word(address) != _END:
        entries[_word(address)] = _word(address + 8)
        address += 16
    return entries


def import_slot(library: ctypes.CDLL, function: str) -> Optional[int]:
    """The address of the 8 bytes that point to ``function``, or None without such a call."""
    c = ctypes.CDLL(None)
    c.dlinfo.argtypes = [ctypes.c_void_p, ctypes.c_int, ctypes.c_void_p]
    link_map = ctypes.c_uint64()
    if c.dlinfo(library._handle, _LINK_MAP, ctypes.byref(link_map)):
        return None
    base, section = _word(link_map.value), _dynamic_section(_word(link_map.value + 16))
    wanted = function.encode()
    for place in range(section[_PLT], section[_PLT] + section[_PLT_SIZE], _RELOCATION_SIZE):
        symbol = section[_SYMBOLS] + (_word(place + 8) >> 32) * _SYMBOL_SIZE
        name = section[_STRINGS] + ctypes.c_uint32.from_address(symbol).value
        if ctypes.string_at(name) == wanted:
            return base + _word(place)
    return None


def address_of(function: Any) -> int:
    """The address of a library's function."""
    return ctypes.cast(function, ctypes.c_void_p).value or 0


def redirect(library: ctypes.CDLL, function: str, code: Callable[[int], bytes]) -> bool:
    """Makes a library call ``code`` instead of a function, as long as the process lives.

    ``code`` gets the address of a page for its data, zero filled, and gives the
    instructions. False, and nothing done, where there is no such call, or where the system
    lets no process write instructions.
    """
    slot, place = import_slot(library, function), _two_pages()
    if slot is None or place is None:
        return False
    instructions = code(place + mmap.PAGESIZE)
    ctypes.memmove(place, instructions, len(instructions))
    ctypes.c_uint64.from_address(slot).value = place
    return True


def _two_pages() -> Optional[int]:
    """Memory for code and, on its second page, for data."""
    c = ctypes.CDLL(None)
    c.mmap.restype = ctypes.c_void_p
    number = ctypes.c_int
    c.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, number, number, number, ctypes.c_long]
    access = mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC
    flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS
    address = c.mmap(None, 2 * mmap.PAGESIZE, access, flags, -1, 0)
    failed = ctypes.c_void_p(-1).value
    return None if address == failed else address
