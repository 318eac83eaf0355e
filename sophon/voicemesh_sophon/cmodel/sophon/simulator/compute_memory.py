"""A network's memory for what lies between its layers, which a BM1684X's networks keep.

The runtime gives networks of different models one piece of such memory, and a larger one
in its place when a model is loaded or freed that needs another size (``ComputeMemory`` in
libsophon's bmruntime_context.cpp). A BM1688 is told the place at each launch. The
commands of a BM1684X hold it from load on: they go on to write where weights and commands
of another model lie by now. Its answers are wrong then, or the simulator finds a
"wrong gdma type" and ends.

Each network of a simulated BM1684X therefore gets memory of its own, unless
``SOPHON_SIMULATOR_SHARED_MEMORY`` is set: then the runtime is as it comes, and shows what a
board with it would meet.
"""

from __future__ import annotations

import ctypes
import os
import struct

from .linkage import address_of, redirect

SHARED_VARIABLE = "SOPHON_SIMULATOR_SHARED_MEMORY"

# ComputeMemory::Create(name, size, core_mask, reuse), as C++ compilers write it.
_CREATE = (
    "_ZN9bmruntime13ComputeMemory6CreateERKNSt7__cxx1112basic_stringIcSt11char_traitsIcESaIcEEEmjb"
)


def separate(runtime: ctypes.CDLL) -> bool:
    """Makes no network share; False, and nothing done, where that is forbidden, or not wanted."""
    if os.environ.get(SHARED_VARIABLE):
        return False
    create = address_of(getattr(runtime, _CREATE))
    code = (
        b"\x45\x31\xc9"  # xor r9d, r9d: reuse, behind the result's address and the object's
        + b"\x48\xb8" + struct.pack("<Q", create)  # mov rax, create
        + b"\xff\xe0"  # jmp rax
    )  # fmt: skip
    return redirect(runtime, _CREATE, lambda data: code)
