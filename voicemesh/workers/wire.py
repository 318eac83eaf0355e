"""The messages between parent and child on their socket.

Each message is a pickled tuple behind a 4-byte little-endian length. The child
is our own code started by us over an anonymous socket pair, so pickle is safe.

    parent → child    ("call", method, args, wants_stream) | ("cancel",) | ("exit",)
    child → parent    ("ready",) | ("item", value) | ("result", value) | ("error", Exception)
                      | ("cancelled", moments at which the newest items were made)

The moments are on the machine's monotonic clock, in seconds; infinity is that of an item
that was made when the cancel had come.
"""

from __future__ import annotations

import asyncio
import pickle
import socket
import struct
from typing import Any

_LENGTH = struct.Struct("<I")


def encode(message: tuple[Any, ...]) -> bytes:
    """A message as bytes."""
    body = pickle.dumps(message, protocol=pickle.HIGHEST_PROTOCOL)
    return _LENGTH.pack(len(body)) + body


def _exactly(sock: socket.socket, size: int) -> bytes:
    parts = bytearray()
    while len(parts) < size:
        part = sock.recv(size - len(parts))
        if not part:
            raise EOFError
        parts += part
    return bytes(parts)


def receive(sock: socket.socket) -> tuple[Any, ...]:
    """The next message of a blocking socket; EOFError when the peer is gone."""
    (size,) = _LENGTH.unpack(_exactly(sock, _LENGTH.size))
    message: tuple[Any, ...] = pickle.loads(_exactly(sock, size))
    return message


async def read(reader: asyncio.StreamReader) -> tuple[Any, ...]:
    """The next message of a stream; EOFError when the peer is gone."""
    try:
        (size,) = _LENGTH.unpack(await reader.readexactly(_LENGTH.size))
        message: tuple[Any, ...] = pickle.loads(await reader.readexactly(size))
    except (asyncio.IncompleteReadError, ConnectionError):
        raise EOFError from None
    return message
