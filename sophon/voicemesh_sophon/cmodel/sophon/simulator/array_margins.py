"""Room behind the arrays of the runtime library, which reads beyond the end of some.

A network with a dynamic part has a program for the chip's own processor. The runtime
reads it from the bmodel into an array of just its length (``setup_ir_context`` in
libsophon's bmruntime_bmodel.cpp), takes device memory of that length rounded up to 64
words, and copies as many bytes as the device memory has: up to 252 from behind the
array. What they are does not matter, unless nothing is there: where the array lies at
the end of its heap, which is once in very many loads, SIGSEGV ends the process.

Each array of the runtime is therefore made 256 bytes longer than it asks for.
"""

from __future__ import annotations

import ctypes
import struct

from .linkage import address_of, redirect

_MARGIN = 256  # bytes: 64 words
_NEW_ARRAY = "_Znam"  # operator new[](unsigned long), as C++ compilers write it


def widen(runtime: ctypes.CDLL) -> bool:
    """Makes the library's arrays longer; False, and nothing done, where that is forbidden."""
    new_array = address_of(getattr(runtime, _NEW_ARRAY))
    code = (
        b"\x48\x81\xc7" + struct.pack("<I", _MARGIN)  # add rdi, margin
        + b"\x48\xb8" + struct.pack("<Q", new_array)  # mov rax, operator new[]
        + b"\xff\xe0"  # jmp rax
    )  # fmt: skip
    return redirect(runtime, _NEW_ARRAY, lambda data: code)
