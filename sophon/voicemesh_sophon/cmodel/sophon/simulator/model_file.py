"""What a bmodel file says about itself, read before the runtime sees it.

The runtime ends the process on a file that is cut short or damaged, so the check is made
here. Layout (``bmodel.hpp`` and ``model.fbs`` of the vendor's libsophon): a header of 64
bytes whose first four words are a magic number, the header's size, the size of a
flatbuffer and the size of the data behind it; the flatbuffer's root table has the
chip's name as its fourth field.
"""

from __future__ import annotations

import io
import os
import struct
from typing import BinaryIO

_MAGIC = 0xFF55AAEE
_HEADER = struct.Struct("<3IQ44x")
_CHIP_FIELD = 3


class BadModelFile(Exception):
    """A file that is no whole bmodel; the message names the cure."""


def _word(table: bytes, at: int) -> int:
    if not 0 <= at <= len(table) - 4:
        raise BadModelFile("its table of contents is damaged: fetch or compile it again")
    return int(struct.unpack_from("<I", table, at)[0])


def _chip(table: bytes) -> str:
    """The chip's name out of the flatbuffer; offsets in it are relative to their place."""
    root = _word(table, 0)
    fields = root - _word(table, root)
    place = fields + 4 + 2 * _CHIP_FIELD
    offset = _word(table, place) & 0xFFFF
    text = root + offset
    text += _word(table, text)
    length = _word(table, text)
    name = table[text + 4 : text + 4 + length]
    if not offset or not length or len(name) < length:
        raise BadModelFile("its table of contents is damaged: fetch or compile it again")
    return name.decode("ascii", "replace")


def _check(file: BinaryIO, size: int, chip: str) -> None:
    start = file.read(_HEADER.size)
    if len(start) < _HEADER.size or struct.unpack_from("<I", start)[0] != _MAGIC:
        raise BadModelFile("it is no bmodel")
    _, header, table_size, data = _HEADER.unpack(start)
    if size < header + table_size + data:
        raise BadModelFile(
            f"it is cut short: {size} bytes of {header + table_size + data}; fetch it again"
        )
    file.seek(header)
    compiled_for = _chip(file.read(table_size))
    if compiled_for.upper() != chip.upper():
        raise BadModelFile(
            f"it was compiled for {compiled_for}, this chip is {chip.upper()}: "
            f"use the file of {chip.upper()}"
        )


def check(path: str, chip: str) -> None:
    """Raises BadModelFile unless ``path`` is a whole bmodel for ``chip``."""
    try:
        with open(path, "rb") as file:
            _check(file, os.fstat(file.fileno()).st_size, chip)
    except OSError as error:
        raise BadModelFile(f"it cannot be read: {error.strerror}") from error


def check_bytes(data: bytes, chip: str) -> None:
    """The same for a file's contents."""
    _check(io.BytesIO(data), len(data), chip)
