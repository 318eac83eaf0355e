"""Frames between the owner of a chip and its clients.

A frame is two little-endian uint32, the bytes of the header and of the payload; then
the header, a JSON object; then the payload, raw. A client asks and the owner answers,
one frame each, in turn. Larger arrays do not travel in frames: they lie in the client's
arena, a piece of sealed shared memory whose descriptor follows the request "arena" as
ancillary data of a single byte.
"""

from __future__ import annotations

import array
import fcntl
import json
import mmap
import os
import socket
import struct
from typing import Any

PROTOCOL = 2
"""Raised with every change that the other side would not understand."""
MAX_HEADER_BYTES = 1 << 20
MAX_PAYLOAD_BYTES = 1 << 20
INLINE_BYTES = 16 << 10
"""Arrays up to this size travel in the payload: mapping costs more than copying them."""
MAX_ARENA_BYTES = 512 << 20

PRIORITIES = ("asr", "tts", "llm")
"""Who goes first: what a speaker waits for, what is about to be heard, what can wait."""
WATCH = "watch"
"""The name of a client that only asks for news."""

LENGTHS = struct.Struct("<II")
_to_json = json.JSONEncoder(separators=(",", ":")).encode  # json.dumps would make one each time.
_SEALS = 0x0002 | 0x0004  # F_SEAL_SHRINK | F_SEAL_GROW: not in every Python's fcntl
_GET_SEALS, _ADD_SEALS = 1034, 1033


class Malformed(Exception):
    """The other side does not keep to the protocol."""


class Gone(Exception):
    """The other side has closed the connection."""


def encode(header: dict[str, Any], payload: bytes = b"") -> bytes:
    """A frame; Malformed where it would be longer than the other side takes."""
    text = _to_json(header).encode()
    if len(text) > MAX_HEADER_BYTES or len(payload) > MAX_PAYLOAD_BYTES:
        raise Malformed(
            f"a frame of {len(text)} + {len(payload)} bytes is too long; send fewer steps at once"
        )
    return LENGTHS.pack(len(text), len(payload)) + text + payload


def lengths(head: bytes) -> tuple[int, int]:
    """The bytes of header and payload that the first bytes of a frame announce."""
    header_bytes, payload_bytes = LENGTHS.unpack(head)
    if header_bytes > MAX_HEADER_BYTES or payload_bytes > MAX_PAYLOAD_BYTES:
        raise Malformed(f"a frame of {header_bytes} + {payload_bytes} bytes is announced")
    return header_bytes, payload_bytes


def parsed(text: bytes) -> dict[str, Any]:
    """The header of a frame."""
    try:
        header = json.loads(text.decode())
    except (ValueError, RecursionError) as error:
        raise Malformed(f"a header is no JSON ({error})") from error
    if not isinstance(header, dict):
        raise Malformed("a header is no JSON object")
    return header


def send(sock: socket.socket, header: dict[str, Any], payload: bytes = b"") -> None:
    """Send a frame."""
    frame = encode(header, payload)
    try:
        sock.sendall(frame)
    except (BrokenPipeError, ConnectionResetError) as error:
        raise Gone("the other side has gone") from error


def receive(sock: socket.socket) -> tuple[dict[str, Any], bytes]:
    """The next frame; Gone at the end of the connection, Malformed where it is no frame."""
    header_bytes, payload_bytes = lengths(_exactly(sock, LENGTHS.size))
    both = _exactly(sock, header_bytes + payload_bytes)
    return parsed(both[:header_bytes]), both[header_bytes:]


def _exactly(sock: socket.socket, count: int) -> bytes:
    parts: list[bytes] = []
    while count:  # Nearly always once.
        try:
            part = sock.recv(min(count, 1 << 20))
        except ConnectionResetError as error:
            raise Gone("the other side has gone") from error
        if not part:
            raise Gone("the other side has gone")
        if len(part) == count and not parts:
            return part
        parts.append(part)
        count -= len(part)
    return b"".join(parts)


def make_arena(size: int) -> tuple[int, mmap.mmap]:
    """A descriptor of ``size`` bytes of shared memory that cannot shrink, and its mapping."""
    descriptor = os.memfd_create("voicemesh-arena", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    try:
        os.ftruncate(descriptor, size)
        fcntl.fcntl(descriptor, _ADD_SEALS, _SEALS)
        return descriptor, mmap.mmap(descriptor, size)
    except BaseException:
        os.close(descriptor)
        raise


def send_descriptor(sock: socket.socket, descriptor: int) -> None:
    """Send a file descriptor along with one byte."""
    rights = array.array("i", [descriptor])
    sock.sendmsg([b"\0"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, rights.tobytes())])


def receive_arena(sock: socket.socket, size: int) -> mmap.mmap:
    """The mapping of the arena whose descriptor comes next."""
    if not 0 < size <= MAX_ARENA_BYTES:
        raise Malformed(f"an arena of {size} bytes is more than {MAX_ARENA_BYTES}")
    rights = array.array("i")
    byte, ancillary, _, _ = sock.recvmsg(1, socket.CMSG_SPACE(4 * rights.itemsize))
    for level, kind, data in ancillary:
        if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
            rights.frombytes(data[: len(data) - len(data) % rights.itemsize])
    try:
        if not byte:
            raise Gone("the other side has gone")
        if len(rights) != 1:
            raise Malformed("no descriptor came with the arena")
        try:
            # Memory that its owner could shrink would kill whoever reads it.
            sealed = fcntl.fcntl(rights[0], _GET_SEALS) & _SEALS == _SEALS
            if not sealed or os.fstat(rights[0]).st_size != size:
                raise Malformed("the arena is not sealed, or of another size")
            return mmap.mmap(rights[0], size)
        except (OSError, ValueError) as error:
            raise Malformed(f"the arena cannot be mapped ({error})") from error
    finally:
        for descriptor in rights:
            os.close(descriptor)
