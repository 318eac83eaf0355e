"""Hostile bytes: messages with any field set to anything, and encodings that are broken."""

from __future__ import annotations

from random import Random
from typing import Any

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message_factory import GetMessageClass

_DEEPEST = 5
_FORGED = "a\n00:00:00.000 error   asr: forged\r\x1b[2J\x00\u2028"
_FLOATS = (0.0, 1.0, -1.0, float("nan"), float("inf"), float("-inf"), 1e38, 1e-38)
_TYPE = FieldDescriptor


def random_message(descriptor: Descriptor, random: Random, depth: int = 0) -> Any:
    """A message of that type with any of its fields set to anything."""
    message: Any = GetMessageClass(descriptor)()
    chosen = {random.choice(choice.fields).name for choice in descriptor.oneofs}
    for field in descriptor.fields:
        in_choice = field.containing_oneof is not None
        if (field.name not in chosen) if in_choice else (random.random() < 0.5):
            continue
        if field.message_type is not None and depth >= _DEEPEST:
            continue
        _set(message, field, random, depth)
    return message


def _set(message: Any, field: FieldDescriptor, random: Random, depth: int) -> None:
    if not field.is_repeated:
        if field.message_type is not None:
            inner = random_message(field.message_type, random, depth + 1)
            getattr(message, field.name).CopyFrom(inner)
        else:
            setattr(message, field.name, _value(field, random))
        return
    entries = getattr(message, field.name)
    count = random.choice((0, 1, 2, 3, 40)) if random.random() < 0.95 else 3000
    if field.message_type is not None and field.message_type.GetOptions().map_entry:
        for number in range(count):
            entries[f"{number}{_text(random)[:1200]}"] = _text(random)[:1200]
    elif field.message_type is not None:
        # One that is repeated: a thousand different ones take longer to make than to refuse.
        inner = random_message(field.message_type, random, depth + 1)
        entries.extend([inner] * count)
    else:
        entries.extend([_value(field, random) for _ in range(min(count, 40))])


def _value(field: FieldDescriptor, random: Random) -> Any:
    kind = field.cpp_type
    if kind == _TYPE.CPPTYPE_STRING:
        if field.type == _TYPE.TYPE_BYTES:
            return random.randbytes(random.choice((0, 1, 2, 640, 641, 3200, 100_000)))
        return _text(random)
    if kind in (_TYPE.CPPTYPE_FLOAT, _TYPE.CPPTYPE_DOUBLE):
        return random.choice(_FLOATS)
    if kind == _TYPE.CPPTYPE_BOOL:
        return random.random() < 0.5
    if kind == _TYPE.CPPTYPE_ENUM:
        return random.choice((0, 1, 2, 3, 4, 5, 99, -1))
    bits = 64 if kind in (_TYPE.CPPTYPE_INT64, _TYPE.CPPTYPE_UINT64) else 32
    if kind in (_TYPE.CPPTYPE_UINT32, _TYPE.CPPTYPE_UINT64):
        return random.choice((0, 1, 2, 1000, 2 ** (bits - 1), 2**bits - 1))
    most = 2 ** (bits - 1) - 1
    return random.choice((0, 1, -1, 16, 320, 8000, 16_000, most, most - 3, -most - 1))


def _text(random: Random) -> str:
    return random.choice(
        (
            *("", "a", " ", "en", "zh-CN", "fuzz", _FORGED, "你好，几点了？", "🙂" * 9, "%s{0}\\"),
            *("nowhere:1", "127.0.0.1:9", "a" * 36, "a " * 150, "a" * 5000, "<speak>&amp;</"),
        )
    )


def broken(raw: bytes, random: Random) -> bytes:
    """An encoding with a fault or some."""
    data = bytearray(raw)
    for _ in range(random.randrange(1, 4)):
        at = random.randrange(len(data) + 1)
        match random.randrange(5):
            case 0 if data:
                data[at % len(data)] ^= 1 << random.randrange(8)
            case 1:
                del data[at:]
            case 2:
                data[at:at] = random.randbytes(random.randrange(1, 9))
            case 3:
                data[at:at] = data[: random.randrange(len(data) + 1)]
            case _:
                del data[at : at + random.randrange(1, 9)]
    return bytes(data)


def huge(descriptor: Descriptor, random: Random) -> bytes:
    """Far more of one field than anybody needs, at any depth; rarely more than gRPC takes."""
    repeated = [f for f in descriptor.fields if f.is_repeated or f.message_type is not None]
    field = random.choice(repeated or list(descriptor.fields) or [None])
    size = random.choice((100_000, 1_000_000, 4_000_000)) if random.random() < 0.9 else 9_000_000
    if field is None:
        return b"\x0a\x00" * (size // 2)
    if field.message_type is not None and not field.is_repeated:
        inner = huge(field.message_type, random) if random.random() < 0.9 else b""
        return _key(field.number) + _varint(len(inner)) + inner
    entry = _key(field.number) + random.choice((b"\x00", b"\x01a", b"\x02en"))
    return entry * (size // len(entry))


def _key(number: int) -> bytes:
    return _varint(number << 3 | 2)


def _varint(value: int) -> bytes:
    encoded = bytearray()
    while value > 127:
        encoded.append(value & 127 | 128)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)
