"""Where a loaded library keeps the address of a function that it calls from elsewhere.

A library calls foreign functions through a table of addresses (the global offset table).
The ELF format's dynamic section, which stays in memory, says which entry is whose.
"""

from __future__ import annotations

import ctypes
from typing import Dict, Optional

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
