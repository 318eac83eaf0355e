"""Makes the threads of a simulated BM1684X give the processor away while they wait.

That simulator has a thread for each engine of the chip. A thread with nothing to do locks
and unlocks mutexes in a tight loop, for ever, and takes a whole core: on a machine with
two cores the one thread that computes waits for its turn most of the time, and a launch
takes ten times as long as it must.

Each unlock of the simulator therefore goes through a few instructions that are put
between it and the C library. They count how often in a row a thread came back within
less than a microsecond, which only a waiting thread does. From the 200th time on the thread
sleeps: 50 µs, then twice as long each time up to a millisecond, until it has found
something to do. Results are unchanged, since a mutex is never held meanwhile.

Measured on two busy cores, one layer of a tiny language model over 256 rows: 9.1 s and
6 s of processor time without, 0.6 s and 0.6 s with it; idle, two full cores without,
7 % of one with it.
"""

from __future__ import annotations

import ctypes
import struct

from .linkage import address_of, redirect

_QUICK_CYCLES = 2_000  # a look that soon after the last one found nothing to do
_PATIENCE = 200  # quick looks before the first sleep
_GLANCES = 8  # quick looks between two sleeps
_FIRST_SLEEP_US = 50
_LONGEST_SLEEP_US = 1_000


def _code(unlock: int, usleep: int, table: int) -> bytes:
    """The x86-64 instructions; a thread's entry in ``table`` is (last look, count, sleep)."""

    def address(value: int) -> bytes:
        return struct.pack("<Q", value)

    def number(value: int) -> bytes:
        return struct.pack("<I", value)

    leave = (
        b"\x89\xd8"  # mov eax, ebx
        b"\x5b"  # pop rbx
        b"\xc3"  # ret
    )
    worked = (
        b"\xc7\x41\x04" + number(0)  # mov dword [rcx + 4], 0
        + b"\xc7\x41\x08" + number(_FIRST_SLEEP_US)  # mov dword [rcx + 8], first sleep
        + leave
    )  # fmt: skip
    waited = (
        b"\xff\x41\x04"  # inc dword [rcx + 4]
        + b"\x81\x79\x04" + number(_PATIENCE)  # cmp dword [rcx + 4], patience
        + b"\x73" + bytes([len(leave) + len(worked)])  # jae sleep
        + leave
    )  # fmt: skip
    sleep = (
        b"\xc7\x41\x04" + number(_PATIENCE - _GLANCES)  # mov dword [rcx + 4], ...
        + b"\x51"  # push rcx
        + b"\x48\x83\xec\x08"  # sub rsp, 8: calls want the stack on a multiple of 16
        + b"\x8b\x79\x08"  # mov edi, [rcx + 8]
        + b"\x48\xb8" + address(usleep)  # mov rax, usleep
        + b"\xff\xd0"  # call rax
        + b"\x48\x83\xc4\x08"  # add rsp, 8
        + b"\x59"  # pop rcx
        + b"\x81\x79\x08" + number(_LONGEST_SLEEP_US)  # cmp dword [rcx + 8], longest sleep
        + b"\x73\x03"  # jae past the next one
        + b"\xd1\x61\x08"  # shl dword [rcx + 8], 1
        + b"\x0f\x31"  # rdtsc
        + b"\x89\x01"  # mov [rcx], eax: the sleep itself counts as no work
        + leave
    )  # fmt: skip
    return (
        b"\x53"  # push rbx
        + b"\x48\xb8" + address(unlock)  # mov rax, pthread_mutex_unlock
        + b"\xff\xd0"  # call rax
        + b"\x89\xc3"  # mov ebx, eax
        + b"\x64\x48\x8b\x0c\x25" + number(0x10)  # mov rcx, fs:[16]: where the thread's data lies
        + b"\xc1\xe9\x0c"  # shr ecx, 12: stacks are some pages apart
        + b"\x83\xe1\x3f"  # and ecx, 63
        + b"\xc1\xe1\x04"  # shl ecx, 4
        + b"\x48\xb8" + address(table)  # mov rax, table
        + b"\x48\x01\xc1"  # add rcx, rax
        + b"\x0f\x31"  # rdtsc
        + b"\x89\xc2"  # mov edx, eax
        + b"\x2b\x01"  # sub eax, [rcx]
        + b"\x89\x11"  # mov [rcx], edx
        + b"\x3d" + number(_QUICK_CYCLES)  # cmp eax, quick
        + b"\x77" + bytes([len(waited)])  # ja worked
        + waited
        + worked
        + sleep
    )  # fmt: skip


def make_polite(simulator: ctypes.CDLL) -> bool:
    """Puts the instructions in between; False, and nothing done, where that is forbidden.

    To be called before the device is opened, which starts the threads.
    """
    c = ctypes.CDLL(None)
    unlock, usleep = address_of(c.pthread_mutex_unlock), address_of(c.usleep)
    return redirect(simulator, "pthread_mutex_unlock", lambda table: _code(unlock, usleep, table))
