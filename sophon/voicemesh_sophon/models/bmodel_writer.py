"""Writes bmodels that hold no weights: for benchmarks, and forms that nobody here can compile.

Their tables are laid out as ``model.fbs`` of the vendor says, as far as they are read.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from pathlib import Path

from voicemesh_sophon.chip_owner.bmodel_file import NetEntry, SlotEntry

DTYPES = ("float32", "float16", "int8", "uint8", "int16", "uint16", "int32", "uint32", "bfloat16")
MAGIC = 0xFF55AAEE
HEADER = struct.Struct("<IIIQ")

Field = int | str | Sequence[int] | Sequence["Fields"]
"""A 32-bit number, a string, a list of 64-bit numbers, or a list of tables."""
Fields = dict[int, "Field"]


def write_bmodel(path: Path, chip: str, nets: Sequence[NetEntry], devices: int = 1) -> Path:
    """Write a whole bmodel without data for ``chip``, such as BM1688; returns ``path``."""
    made: Fields = {1: "2.2", 2: "Mon Jun  1 00:00:00 2026", 3: chip, 7: devices}
    table = flatbuffer({**made, 4: [_net(net) for net in nets]})
    path.write_bytes(HEADER.pack(MAGIC, HEADER.size, len(table), 0) + table)
    return path


def _net(net: NetEntry) -> Fields:
    stages: list[Fields] = [
        {
            0: [_tensor(slot, stage) for slot in net.input_slots],
            1: [_tensor(slot, stage) for slot in net.output_slots],
            5: int(net.dynamic),
            16: net.cores,
        }
        for stage in range(len(net.input_slots[0].stages))
    ]
    return {0: net.name, 3: stages, 5: int(net.own_io)}


def _tensor(slot: SlotEntry, stage: int) -> Fields:
    shapes: list[Fields] = [{0: slot.stages[stage]}]
    return {0: slot.name, 1: DTYPES.index(slot.dtype), 5: shapes}


def flatbuffer(root: Fields) -> bytes:
    """A buffer that begins with the table ``root``."""
    buffer = bytearray(4)
    struct.pack_into("<I", buffer, 0, _table(buffer, root))
    return bytes(buffer)


def _table(buffer: bytearray, fields: Fields) -> int:
    """Append a table, then what it points at; where the table is."""
    numbers = sorted(fields)
    places = {number: 4 + 4 * index for index, number in enumerate(numbers)}
    listed = [places.get(number, 0) for number in range(numbers[-1] + 1)]
    entry = struct.pack(f"<HH{len(listed)}H", 4 + 2 * len(listed), 4 + 4 * len(fields), *listed)
    start = len(buffer)
    buffer += entry
    at = len(buffer)
    buffer += struct.pack("<i", at - start) + bytes(4 * len(fields))
    for number in numbers:
        place, value = at + places[number], fields[number]
        struct.pack_into("<I", buffer, place, _value(buffer, place, value))
    return at


def _value(buffer: bytearray, place: int, value: Field) -> int:
    """A number itself; of all else how far from ``place`` it is appended."""
    if isinstance(value, int):
        return value
    at = len(buffer)
    buffer += struct.pack("<I", len(value))
    if isinstance(value, str):
        buffer += value.encode() + b"\0"
        return at - place
    first = len(buffer)
    if value and isinstance(value[0], dict):
        buffer += bytes(4 * len(value))
        for index, fields in enumerate(value):
            assert isinstance(fields, dict)
            here = first + 4 * index
            struct.pack_into("<I", buffer, here, _table(buffer, fields) - here)
    else:
        buffer += struct.pack(f"<{len(value)}Q", *value)
    return at - place
