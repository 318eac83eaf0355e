"""Large messages are a few large fields: those of a million small ones are refused unread."""

from __future__ import annotations

from google.protobuf.descriptor import Descriptor

from voicemesh.errors import InvalidArgument

LARGE_BYTES = 1 << 18
"""Up to here a message of the smallest fields is parsed within 5 ms."""
MOST_FIELDS = 10_000
"""Of a larger message: counted within 6 ms, while parsing 8 MB of them takes 120. 2,000
phrase hints, the most that anything has, are 8,000."""


def check_field_count(raw: bytes, descriptor: Descriptor) -> None:
    """InvalidArgument where a large message has too many fields. Blind to what is broken."""
    if len(raw) <= LARGE_BYTES:
        return
    left = MOST_FIELDS
    waiting: list[tuple[int, int, Descriptor]] = [(0, len(raw), descriptor)]
    while waiting:
        at, end, kind = waiting.pop()
        while at < end:
            left -= 1
            if left < 0:
                raise InvalidArgument(
                    f"{len(raw)} bytes in more than {MOST_FIELDS} fields are too many at once; "
                    "send fewer entries"
                )
            key, at = _varint(raw, at, end)
            match key & 7:
                case 0:  # A varint
                    _, at = _varint(raw, at, end)
                case 1:  # 64 bits
                    at += 8
                case 5:  # 32 bits
                    at += 4
                case 2:  # So many bytes
                    length, at = _varint(raw, at, end)
                    field = kind.fields_by_number.get(key >> 3)
                    if field is not None and field.message_type is not None:
                        waiting.append((at, min(at + length, end), field.message_type))
                    at += length
                case _:
                    return  # Groups, or nonsense: the parser tells.


def _varint(raw: bytes, at: int, end: int) -> tuple[int, int]:
    value = shift = 0
    while at < end:
        byte = raw[at]
        at += 1
        value |= (byte & 127) << shift
        if byte < 128:
            break
        shift += 7
        if shift > 63:
            break
    return value, at
