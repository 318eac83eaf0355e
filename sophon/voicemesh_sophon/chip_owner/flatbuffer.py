"""Reads the tables of a flatbuffer by the numbers of their fields.

Offsets in it are relative to where they stand. This module runs on Python 3.8, because
the chip owner does.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator


class Table:
    """A table; fields that are not in it read as nothing.

    struct.error, IndexError, UnicodeDecodeError or ValueError where the buffer is damaged.
    """

    def __init__(self, data: bytes, at: int) -> None:
        """The table at ``at`` of the buffer."""
        self._data, self._at = data, at
        self._fields = at - _number("<i", data, at)
        self._fields_end = self._fields + _number("<H", data, self._fields)

    @staticmethod
    def root(data: bytes) -> Table:
        """The table that a buffer begins with."""
        return Table(data, _number("<I", data, 0))

    def _place(self, field: int) -> int:
        entry = self._fields + 4 + 2 * field
        offset = _number("<H", self._data, entry) if entry < self._fields_end else 0
        return self._at + offset if offset else 0

    def number(self, field: int, form: str = "<I") -> int:
        """A number; 0 where it is not there."""
        place = self._place(field)
        return _number(form, self._data, place) if place else 0

    def extent(self, field: int) -> int:
        """The size of a piece of data, of which the table keeps start and size."""
        place = self._place(field)
        return _number("<Q", self._data, place + 8) if place else 0

    def table(self, field: int) -> Table | None:
        """A table in this one."""
        place = self._place(field)
        return Table(self._data, self._follow(place)) if place else None

    def tables(self, field: int) -> Iterator[Table]:
        """A list of tables."""
        for place in self._places(field, 4):
            yield Table(self._data, self._follow(place))

    def numbers(self, field: int) -> tuple[int, ...]:
        """A list of 64-bit numbers."""
        return tuple(_number("<Q", self._data, place) for place in self._places(field, 8))

    def octets(self, field: int) -> bytes:
        """A list of bytes."""
        places = self._places(field, 1)
        return self._data[places.start : places.stop]

    def text(self, field: int) -> str:
        """A string."""
        return self.octets(field).decode()

    def _places(self, field: int, width: int) -> range:
        place = self._place(field)
        if not place:
            return range(0)
        vector = self._follow(place)
        first = vector + 4
        end = first + width * _number("<I", self._data, vector)
        if end > len(self._data):
            raise ValueError("a list reaches beyond the table")
        return range(first, end, width)

    def _follow(self, place: int) -> int:
        return place + _number("<I", self._data, place)


def _number(form: str, data: bytes, place: int) -> int:
    value: int = struct.unpack_from(form, data, place)[0]
    return value
